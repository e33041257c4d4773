from __future__ import annotations

import datetime
import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway import credentials
from gateway.models import AuditEntry, OperatorKey

pytestmark = pytest.mark.django_db


def run(command: str, *words: str) -> list[str]:
    out = io.StringIO()
    call_command(command, *words, stdout=out)
    return out.getvalue().splitlines()


def make(*words: str) -> OperatorKey:
    secret = run("create_operator_key", *words)[-1]
    return OperatorKey.objects.get(digest=credentials.digest(secret, settings.CONFIGURATION.peppers[0]))


def test_the_key_stands_alone_on_the_last_line() -> None:
    lines = run("create_operator_key", "--name", "terraform")

    key = OperatorKey.objects.get()
    assert credentials.kind_of(lines[-1]) == "operator"
    assert bytes(key.digest) == credentials.digest(lines[-1], settings.CONFIGURATION.peppers[0])
    assert (key.name, key.hint, key.expires_at) == ("terraform", credentials.hint(lines[-1]), None)
    assert lines[:-1] == [f"Operator key {key.id}; it is shown only now:"]
    entry = AuditEntry.objects.get(action="operator_key.created")
    assert (entry.actor_type, entry.target_id, entry.organization_id) == ("system", key.id, None)
    assert lines[-1][20:] not in str(entry.details)


def test_a_key_may_end_by_itself() -> None:
    lines = run("create_operator_key", "--name", "audit", "--expires-in-days", "30")

    expires_at = OperatorKey.objects.get().expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - datetime.timedelta(days=30)) < datetime.timedelta(minutes=1)
    assert f"works until {expires_at:%Y-%m-%d %H:%M} UTC" in lines[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--name", " "), "name: expected 1 to 200 characters"),
        (("--name", "a" * 201), "name: expected 1 to 200 characters"),
        (
            ("--name", "x", "--expires-in-days", "0"),
            "--expires-in-days: expected a number from 1 to 36500",
        ),
        (
            ("--name", "x", "--expires-in-days", "99999999999"),
            "--expires-in-days: expected a number from 1 to 36500",
        ),
    ],
)
def test_what_is_not_right_is_one_clear_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError) as refused:
        run("create_operator_key", *words)

    assert str(refused.value) == message
    assert not OperatorKey.objects.exists()


def test_keys_are_listed_with_their_state_and_without_their_secrets() -> None:
    works, ended, gone = (make("--name", name) for name in ("works", "ended", "gone"))
    yesterday = timezone.now() - datetime.timedelta(days=1)
    OperatorKey.objects.filter(pk=ended.pk).update(expires_at=yesterday)
    run("revoke_operator_key", gone.id)

    assert run("list_operator_keys") == [
        f"{gone.id}  revoked  {gone.hint}  gone",
        f"{ended.id}  expired  {ended.hint}  ended",
        f"{works.id}  active   {works.hint}  works",
    ]


def test_a_key_is_revoked_once_with_an_audit_line() -> None:
    key = make("--name", "terraform")

    for _ in range(2):
        assert run("revoke_operator_key", key.id) == [f"Revoked: {key.id}, {key.hint}, 'terraform'"]

    key.refresh_from_db()
    assert key.revoked_at is not None
    entry = AuditEntry.objects.get(action="operator_key.revoked")
    assert (entry.actor_type, entry.target_id) == ("system", key.id)


def test_an_id_that_does_not_exist_is_told_where_to_look() -> None:
    with pytest.raises(CommandError) as refused:
        run("revoke_operator_key", "opkey_nope")

    assert str(refused.value) == (
        "no operator key has the id 'opkey_nope'; `manage.py list_operator_keys` lists them"
    )
