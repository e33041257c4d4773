"""`manage.py batch_status` as operators type it."""

from __future__ import annotations

import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway.batch_states import ItemState
from gateway.models import BatchItem
from tests.batches.rows import DAY, batch_of
from tests.people import Cast


def told(*words: str) -> str:
    said = io.StringIO()
    call_command("batch_status", *words, stdout=said)
    return said.getvalue()


def test_open_batches_and_those_that_ended_just_now_are_listed(people: Cast) -> None:
    running = batch_of(people.acme, succeeded=4, errored=1, age=DAY / 24)
    native = batch_of(people.umbrella, passage="native", provider="anthropic", status="canceling")
    ended = batch_of(people.acme, status="ended", succeeded=10, ended_at=timezone.now())
    old = batch_of(people.acme, status="ended", succeeded=10, ended_at=timezone.now() - DAY)

    said = told()

    rows = {word: line for line in said.splitlines() for word in line.split() if word.startswith("msgbatch_")}
    assert set(rows) == {running.id, native.id, ended.id}
    assert "5 of 10" in rows[running.id]
    assert re.search(r"│ +(23:00|22:59) │", rows[running.id])
    assert "1:00:00" in rows[running.id]  # as long again as the first half took
    assert "by anthropic" in rows[native.id]
    assert people.umbrella.name in rows[native.id]
    assert old.id not in said


def test_one_batch_is_told_to_programs(people: Cast) -> None:
    batch = batch_of(people.acme, items=10, succeeded=3, canceled=1)
    BatchItem.objects.filter(batch=batch, number__lt=2).update(state=ItemState.RUNNING)

    (line,) = told(batch.id, "--json").splitlines()

    said = json.loads(line)
    wanted = {
        "total": 10,
        "waiting": 4,
        "running": 2,
        "succeeded": 3,
        "errored": 0,
        "canceled": 1,
        "expired": 0,
    }
    assert {name: said[name] for name in wanted} == wanted
    assert (said["id"], said["status"], said["organization"]) == (batch.id, "in_progress", people.acme.name)


def test_following_ends_with_the_batch(people: Cast) -> None:
    batch = batch_of(people.acme, status="ended", succeeded=9, errored=1, ended_at=timezone.now())

    said = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("batch_status", batch.id, "--follow", stdout=said)

    assert ended.value.code == 2
    (bar,) = [line for line in said.getvalue().splitlines() if "10/10" in line]
    assert "ended, 1 errored" in bar
    assert "expires in" not in bar


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_batch_of_which_all_succeeded_ends_well(people: Cast, form: list[str]) -> None:
    batch = batch_of(people.acme, status="ended", succeeded=10, ended_at=timezone.now())

    assert batch.id in told(batch.id, "--follow", *form)


def test_there_may_be_nothing(db: None) -> None:
    assert told() == "No message batch is under way, and none ended within the last hour.\n"
    assert told("--json") == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["msgbatch_x"], "there is no message batch 'msgbatch_x'"), (["--follow"], "wants the ID")],
)
def test_what_cannot_be_shown_is_said(db: None, words: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        told(*words)
