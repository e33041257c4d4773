"""Rows that the release before makes while this one rolls out."""

from __future__ import annotations

from django.db import connection

from gateway.models import Tier


def test_a_row_without_limits_of_pools_has_none(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO gateway_tier (name, limits, reserve_worst_case) VALUES ('old', '{}', false)"
        )

    assert Tier.objects.get(name="old").group_limits == {}


def test_the_database_gives_every_holder_that_default(db: None) -> None:
    holders = ("tier", "organization", "workspace", "apikey")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_default, is_nullable FROM information_schema.columns"
            " WHERE column_name = 'group_limits' ORDER BY table_name"
        )
        found = cursor.fetchall()

    assert found == [(f"gateway_{holder}", "'{}'::jsonb", "NO") for holder in sorted(holders)]
