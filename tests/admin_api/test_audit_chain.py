"""The audit log proves itself: entries are chained as they are committed, and what was done to them shows."""

from __future__ import annotations

import importlib
import threading
import uuid
from collections.abc import Callable

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from admin_api import audit
from admin_api.actor import SYSTEM, Actor
from admin_api.queries import audit_chain
from gateway.models import AuditEntry, AuditLink, Organization
from gateway.supervisor.postgres import Postgres
from tests.migrated import new_database
from tests.people import Cast

INSERT = """
INSERT INTO audit_entry (organization_id, at, actor_type, actor_id, action, target_type, target_id, details, request_id)
VALUES (%s, now(), 'system', '', 'it.happened', 'it', %s, '{"a": [1, "b"]}', '')
"""


def commit() -> None:
    """What a commit does to links, inside the transaction of a test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def behind_its_back(statement: str, *arguments: object) -> None:
    """As somebody who owns the database and turns its triggers off."""
    with connection.cursor() as cursor:
        for table in ("audit_entry", "audit_link"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, arguments)
        for table in ("audit_entry", "audit_link"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def entries(organization: Organization | None, number: int) -> list[AuditEntry]:
    for _ in range(number):
        audit.record(
            actor=SYSTEM,
            action="it.happened",
            target_type="it",
            target_id="1",
            organization_id=organization.id if organization else None,
            details={"b": [1, "ü"], "a": None},
        )
    commit()
    rows = AuditEntry.objects.filter(organization_id=organization.id if organization else None)
    return list(rows.order_by("id"))


def test_every_entry_has_a_link_in_the_chain_of_its_organization(people: Cast) -> None:
    acme, umbrella = entries(people.acme, 3), entries(people.umbrella, 2)

    for organization, written in ((people.acme, acme), (people.umbrella, umbrella)):
        links = list(AuditLink.objects.filter(chain=organization.id).order_by("position"))
        assert [link.entry_id for link in links] == [entry.id for entry in written]
        assert [bytes(link.previous_hash) for link in links] == [
            b"",
            *[bytes(link.hash) for link in links][:-1],
        ]
        assert len({bytes(link.hash) for link in links}) == len(links)


def test_a_chain_that_nobody_touched_is_whole_since_its_first_entry(people: Cast) -> None:
    written = entries(people.acme, 3)

    found = audit_chain.verify(people.acme)

    assert (found.whole, found.entries, found.whole_since) == (True, len(written), written[0].at)
    assert found.last_hash == bytes(AuditLink.objects.get(entry_id=written[-1].id).hash).hex()


def test_the_time_zone_of_a_session_does_not_matter(people: Cast) -> None:
    entries(people.acme, 2)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Kolkata'")

    assert audit_chain.verify(people.acme).whole


CHANGES = {
    "action": "UPDATE audit_entry SET action = 'x.y' WHERE id = %s",
    "details": """UPDATE audit_entry SET details = '{"a": 1}' WHERE id = %s""",
    "time": "UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = %s",
    "actor": "UPDATE audit_entry SET actor_id = 'user_1' WHERE id = %s",
    "address": "UPDATE audit_entry SET ip_address = '192.0.2.1' WHERE id = %s",
    "program": "UPDATE audit_entry SET user_agent = 'curl' WHERE id = %s",
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_entry_that_was_changed_is_found(people: Cast, what: str) -> None:
    first, second, third = entries(people.acme, 3)[-3:]
    behind_its_back(CHANGES[what], second.id)

    found = audit_chain.verify(people.acme)

    assert [(one.entry_id, one.why) for one in found.breaks] == [
        (second.id, "this entry was changed after it was written")
    ]
    assert found.whole_since == third.at
    assert first.id < second.id


def test_an_entry_that_was_taken_out_is_found(people: Cast) -> None:
    gone = entries(people.acme, 3)[-2]
    behind_its_back("DELETE FROM audit_entry WHERE id = %s", gone.id)

    (found,) = audit_chain.verify(people.acme).breaks

    assert (found.entry_id, found.at, found.why) == (gone.id, None, "an entry was taken out here")


def test_an_entry_that_was_taken_out_with_its_link_is_found(people: Cast) -> None:
    *_, gone, last = entries(people.acme, 3)
    behind_its_back("DELETE FROM audit_entry WHERE id = %s", gone.id)
    behind_its_back("DELETE FROM audit_link WHERE entry_id = %s", gone.id)

    (found,) = audit_chain.verify(people.acme).breaks

    assert (found.entry_id, found.why) == (last.id, "this entry's place in the chain was changed")


def test_an_entry_that_was_put_in_is_found(people: Cast) -> None:
    entries(people.acme, 2)
    behind_its_back(INSERT, people.acme.id, "2")

    (found,) = audit_chain.verify(people.acme).breaks

    assert found.why == "this entry was put in beside the chain"


def test_an_entry_whose_link_was_made_anew_breaks_the_next_one(people: Cast) -> None:
    *_, forged, last = entries(people.acme, 3)
    behind_its_back("UPDATE audit_entry SET action = 'x.y' WHERE id = %s", forged.id)
    behind_its_back(
        "UPDATE audit_link l SET hash = audit_entry_hash(l.previous_hash, e) FROM audit_entry e"
        " WHERE e.id = l.entry_id AND e.id = %s",
        forged.id,
    )

    assert [one.entry_id for one in audit_chain.verify(people.acme).breaks] == [last.id]


def test_what_was_done_to_one_organization_shows_in_its_chain_alone(people: Cast) -> None:
    entry = entries(people.acme, 2)[-1]
    entries(people.umbrella, 1)
    entries(None, 1)
    behind_its_back("DELETE FROM audit_entry WHERE id = %s", entry.id)

    broken = {chain.organization_id for chain in audit_chain.verify_all() if not chain.whole}

    assert broken == {people.acme.id}
    assert audit_chain.verify(people.umbrella).whole
    assert audit_chain.verify_installation().whole
    assert audit_chain.verify_installation().entries > 0


def test_the_entries_of_before_begin_the_chains(people: Cast) -> None:
    written = entries(people.acme, 3)
    behind_its_back("DELETE FROM audit_link")
    migration = importlib.import_module("gateway.migrations.0015_audit_chain")

    with connection.cursor() as cursor:
        cursor.execute(migration.BEGINNING)

    assert audit_chain.verify(people.acme).entries == len(written)
    assert all(chain.whole for chain in audit_chain.verify_all())


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_link SET position = 7", "DELETE FROM audit_link", "TRUNCATE audit_link"],
)
def test_links_cannot_be_changed_or_removed(people: Cast, statement: str) -> None:
    entries(people.acme, 1)

    with (
        pytest.raises(DatabaseError, match="audit entries are never changed or removed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_program_of_who_acts_is_kept_as_far_as_it_can_be_stored(people: Cast) -> None:
    actor = Actor.user(people.ada, user_agent="Mozilla/5.0\x00 " + "x" * 400)

    audit.record(actor=actor, action="it.happened", target_type="it", target_id="1")

    assert AuditEntry.objects.latest("id").user_agent == ("Mozilla/5.0 " + "x" * 400)[:300]


def test_many_at_once_make_one_chain(postgres_server: Postgres) -> None:
    """Eight people act in two organizations at once, each in both, in either order."""
    address = new_database(postgres_server, "audit_chain")
    chains = [uuid.uuid4(), uuid.uuid4()]

    def act(number: int) -> None:
        with psycopg.connect(address) as own:
            for turn in range(12):
                for chain in chains if (number + turn) % 2 else reversed(chains):
                    own.execute(INSERT, (chain, str(number)))
                own.commit()

    _together(act, 8)

    with psycopg.connect(address) as own:
        positions = own.execute(
            "SELECT array_agg(l.position ORDER BY l.position), bool_and(l.hash = audit_entry_hash(l.previous_hash, e)),"
            " count(DISTINCT l.previous_hash) FROM audit_link l JOIN audit_entry e ON e.id = l.entry_id"
            " WHERE l.chain = ANY(%s) GROUP BY l.chain",
            (chains,),
        ).fetchall()
    assert positions == [(list(range(1, 97)), True, 96)] * 2


def _together(act: Callable[[int], None], number: int) -> None:
    failed: list[BaseException] = []

    def guarded(one: int) -> None:
        try:
            act(one)
        except BaseException as problem:
            failed.append(problem)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
