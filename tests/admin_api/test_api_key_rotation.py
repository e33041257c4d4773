"""Rotations: a key keeps all it is while its secrets come and go."""

from __future__ import annotations

import concurrent.futures
import datetime
import os
import secrets
from pathlib import Path

import pytest
from django.utils import timezone

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from gateway import credentials
from gateway.models import ApiKey, AuditEntry
from tests.admin_api.conftest import open_door
from tests.admin_api.door import ME, Door, admin_key
from tests.admin_api.key_maker import KEYS, Admin
from tests.people import Cast


def test_a_new_secret_has_no_new_allowance(admin: Admin) -> None:
    made = admin.create(limits={"requests_per_minute": 1}, spend_limit={"amount": "5", "period": "daily"})
    assert admin.call(made["key"]) == 200

    rotated = admin.rotate(made["id"], overlap_seconds=60)

    assert [admin.call(rotated["key"]), admin.call(made["key"])] == [429, 429]
    changing = {"key", "partial_key_hint", "previous_key_expires_at"}
    assert {name: made[name] for name in made.keys() - changing} == {
        name: rotated[name] for name in rotated.keys() - changing
    }


def test_a_change_reaches_both_secrets(admin: Admin) -> None:
    made = admin.create()
    rotated = admin.rotate(made["id"], overlap_seconds=60)
    assert [admin.call(made["key"]), admin.call(rotated["key"])] == [200, 200]

    admin.update(made["id"], status="inactive")
    admin.soon(401, made["key"])
    admin.soon(401, rotated["key"])

    admin.update(made["id"], status="active")
    admin.soon(200, made["key"])
    admin.soon(200, rotated["key"])


def test_an_overlap_does_not_outlive_the_key(admin: Admin) -> None:
    made = admin.create(expires_at=(timezone.now() + datetime.timedelta(hours=1)).isoformat())
    admin.rotate(made["id"], overlap_seconds=7200)
    assert admin.call(made["key"]) == 200

    ApiKey.objects.filter(pk=made["id"]).update(expires_at=timezone.now())
    admin.update(made["id"], name="Ended")  # so that the data plane hears of it

    admin.soon(401, made["key"])


def test_a_key_that_is_switched_off_may_be_rotated_and_stays_off(admin: Admin) -> None:
    made = admin.create()
    admin.update(made["id"], status="inactive")

    rotated = admin.rotate(made["id"])

    assert rotated["status"] == "inactive"
    assert admin.call(rotated["key"]) == 401
    admin.update(made["id"], status="active")
    admin.soon(200, rotated["key"])


def test_of_rotations_at_once_the_last_two_secrets_work_and_no_other(admin: Admin) -> None:
    made = admin.create()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        work = [pool.submit(admin.rotate, made["id"], overlap_seconds=60) for _ in range(6)]
        found = [made["key"], *(one.result()["key"] for one in work)]

    assert len(set(found)) == 7
    assert sorted(admin.call(secret) for secret in found) == [200] * 2 + [401] * 5
    assert AuditEntry.objects.filter(action="api_key.rotated", target_id=made["id"]).count() == 6


def test_an_admin_key_works_through_its_overlap(door: Door, committed_people: Cast) -> None:
    key, before = admin_key(committed_people.acme)

    _, after = api_keys.rotate(actor=SYSTEM, key=key, overlap=datetime.timedelta(hours=1))
    assert credentials.kind_of(after) == "admin"
    assert [door.ask(key=secret).status for secret in (before, after)] == [200, 200]

    ApiKey.objects.filter(pk=key.pk).update(previous_until=timezone.now())
    assert [door.ask(key=secret).status for secret in (before, after)] == [401, 200]


def test_a_key_from_before_a_new_pepper_is_rotated_without_a_gap(
    committed_people: Cast, tmp_path: Path
) -> None:
    key, before = api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="CI")
    _, admins = admin_key(committed_people.acme)
    peppers = f"{secrets.token_urlsafe(48)},{os.environ['GATEWAY_KEY_PEPPER']}"

    with open_door(tmp_path, GATEWAY_KEY_PEPPER=peppers) as door:
        admin = Admin(door, admins)
        assert admin.call(before) == 200
        after = admin.rotate(key.id, overlap_seconds=600)["key"]
        assert [admin.call(before), admin.call(after)] == [200, 200]

        last = admin.rotate(key.id)["key"]
        admin.soon(401, before)
        admin.soon(401, after)
        assert admin.call(last) == 200

    log = (tmp_path / "gateway.log").read_text()
    assert "Started server process" in log
    assert not any(secret[15:] in log for secret in (before, after, last, admins))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"overlap_seconds": -1}, "overlap_seconds: Input should be greater than or equal to 0"),
        ({"overlap_seconds": 604_801}, "overlap_seconds: Input should be less than or equal to 604800"),
        ({"overlap_seconds": 10**30}, "overlap_seconds: Input should be less than or equal to 604800"),
        ({"overlap_seconds": None}, "overlap_seconds: Input should not be null"),
        ({"overlap_seconds": 0.5}, "overlap_seconds: Input should be a valid integer"),
        ({"overlap_seconds": "soon"}, "overlap_seconds: Input should be a valid integer"),
        ({"overlap": 5}, "overlap: Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_wrong_overlap_leaves_the_secret_as_it_is(
    admin: Admin, body: dict[str, object], message: str
) -> None:
    made = admin.create()

    assert admin.refused(f"/{made['id']}/rotate", **body) == (400, message)

    assert admin.call(made["key"]) == 200
    assert not AuditEntry.objects.filter(action="api_key.rotated").exists()


def test_the_longest_overlap_is_seven_days(admin: Admin) -> None:
    rotated = admin.rotate(admin.create()["id"], overlap_seconds=604_800)

    until = datetime.datetime.fromisoformat(rotated["previous_key_expires_at"])
    assert abs(until - timezone.now() - datetime.timedelta(days=7)) < datetime.timedelta(minutes=1)


def test_a_key_of_others_cannot_be_rotated(admin: Admin, committed_people: Cast) -> None:
    theirs, secret = api_keys.create(actor=SYSTEM, organization=committed_people.umbrella, name="Umbrella's")
    own = ApiKey.objects.get(kind="admin")

    answers = [
        admin.http.post(f"{KEYS}/{id}/rotate") for id in (theirs.id, own.id, "apikey_01nothing", "%00")
    ]

    assert {(answer.status_code, answer.json()["error"]["message"]) for answer in answers} == {
        (404, "API key not found.")
    }
    assert admin.call(secret) == 200
    assert admin.http.get(ME).status_code == 200


def test_who_goes_on_with_an_old_secret_is_refused_and_not_taken_for_a_guesser(admin: Admin) -> None:
    made = admin.create()
    assert admin.call(made["key"]) == 200
    admin.rotate(made["id"])
    admin.soon(401, made["key"])

    assert {admin.call(made["key"]) for _ in range(30)} == {401}


def test_an_overlap_is_shown_no_longer_than_the_key_itself_lasts(admin: Admin) -> None:
    soon = timezone.now() + datetime.timedelta(hours=1)
    made = admin.create(expires_at=soon.isoformat())

    rotated = admin.rotate(made["id"], overlap_seconds=7200)

    assert rotated["previous_key_expires_at"] == rotated["expires_at"]
