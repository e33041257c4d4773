"""Keys of providers move from their row into rows of their own, and back."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER = "0003_defaults", "0004_provider_keys"


def migrate(name: str) -> Apps:
    """The tables as they are after this migration; constraints that wait for the commit are checked first."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    executor = MigrationExecutor(connection)
    return executor.migrate([("gateway", name)]).apps


def test_the_key_of_a_provider_becomes_the_first_of_its_keys(db: None) -> None:
    provider = migrate(BEFORE).get_model("gateway", "Provider")
    provider.objects.create(
        name="keyed",
        dialect="openai",
        base_url="http://x/v1",
        encrypted_api_key=b"sealed",
        api_key_hint="6789",
    )
    provider.objects.create(name="keyless", dialect="openai", base_url="http://y/v1")

    keys = migrate(AFTER).get_model("gateway", "ProviderKey").objects

    rows = keys.values_list("provider__name", "encrypted_api_key", "api_key_hint", "weight", "position")
    assert [(name, bytes(sealed), *rest) for name, sealed, *rest in rows] == [
        ("keyed", b"sealed", "6789", 100, 0)
    ]


def test_the_first_key_goes_back_into_its_provider(db: None) -> None:
    tables = migrate(AFTER)
    provider = tables.get_model("gateway", "Provider").objects.create(
        name="p", preset="openai", dialect="openai", base_url="http://x/v1"
    )
    keys = tables.get_model("gateway", "ProviderKey").objects
    keys.create(provider=provider, encrypted_api_key=b"second", api_key_hint="2222", position=1)
    keys.create(provider=provider, encrypted_api_key=b"first", api_key_hint="1111", position=0)

    rows = migrate(BEFORE).get_model("gateway", "Provider").objects.order_by("name")

    assert [
        (row.name, row.encrypted_api_key and bytes(row.encrypted_api_key), row.api_key_hint) for row in rows
    ] == [
        ("p", b"first", "1111"),
        ("simulator", None, ""),
    ]
