"""Test calls that were asked for in the browser, run as a worker runs them, against a provider on real sockets."""

from __future__ import annotations

import datetime

from django.utils import timezone

from admin_api.actions import provider_checks, providers
from admin_api.actor import SYSTEM
from gateway.models import Provider, ProviderCheck
from gateway.provider_check.tasks import NOTHING_ROUTED, run_checks
from tests.commands.test_check_provider import HINT, KEY, OTHER_KEY, furnish, rows, upstream
from tests.upstream import Upstream

__all__ = ["rows", "upstream"]  # fixtures


def asked(model: str = "", name: str = "p") -> ProviderCheck:
    return provider_checks.begin(actor=SYSTEM, provider=Provider.objects.get(name=name), model=model)


def test_a_worker_asks_as_the_gateway_would_and_writes_down_what_came(upstream: Upstream) -> None:
    furnish(upstream, routes={"m": "upstream-model"})
    check = asked()

    assert run_checks() == 1

    check.refresh_from_db()
    told = [(line["model"], line["key"], line["stream"], line["text"]) for line in check.lines]
    assert told == [("m", HINT, stream, "Hello from the provider.") for stream in (False, True)]
    assert check.started_at and check.ended_at and check.problem == ""
    assert KEY not in str(check.lines)
    assert run_checks() == 0


def test_each_key_is_asked_with(upstream: Upstream) -> None:
    furnish(upstream, keys=(KEY, OTHER_KEY), routes={"m": "upstream-model"})
    check = asked("m")

    run_checks()

    check.refresh_from_db()
    assert len({line["key"] for line in check.lines}) == 2
    assert len(check.lines) == 4


def test_a_provider_that_was_drained_can_still_be_asked(upstream: Upstream) -> None:
    furnish(upstream, routes={"m": "upstream-model"})
    providers.drain(actor=SYSTEM, provider=Provider.objects.get(name="p"))
    everything, one = asked(), asked("upstream-model")

    assert run_checks() == 2

    everything.refresh_from_db()
    one.refresh_from_db()
    assert (everything.problem, everything.lines) == (NOTHING_ROUTED, [])
    assert [(line["stream"], line["ok"]) for line in one.lines] == [(False, True), (True, True)]


def test_a_failure_is_told_in_the_providers_words() -> None:
    furnish("http://127.0.0.1:1", routes={"m": "m"})
    check = asked()

    run_checks()

    check.refresh_from_db()
    assert [(line["ok"], line["kind"]) for line in check.lines] == [(False, "connection refused")] * 2


def test_what_nobody_waits_for_any_more_is_not_asked(upstream: Upstream) -> None:
    furnish(upstream, routes={"m": "m"})
    check = asked()
    ProviderCheck.objects.update(asked_at=timezone.now() - datetime.timedelta(minutes=6))

    assert run_checks() == 0

    check.refresh_from_db()
    assert check.started_at is None


def test_old_test_calls_are_forgotten_with_the_next_one(upstream: Upstream) -> None:
    furnish(upstream, routes={"m": "m"})
    asked()
    ProviderCheck.objects.update(asked_at=timezone.now() - datetime.timedelta(days=31))

    asked()

    assert ProviderCheck.objects.count() == 1
