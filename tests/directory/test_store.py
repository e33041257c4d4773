"""From rows to the snapshot that requests are served by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import TypeVar

import pytest
from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo
from pytest_django.plugin import DjangoDbBlocker

from admin_api.actions import api_keys, model_groups, models, organizations, providers, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo, WeightedKey
from admin_api.residency import Residency
from gateway import credentials
from gateway.directory.catalog import Catalog, Target
from gateway.directory.store import DirectoryStore
from gateway.encryption import Vault
from gateway.models import Organization, Price, ProviderKey, Tier
from gateway.price import CLASSES
from gateway.principal import Geography, Principal, denied_by
from tests.committed import committed

T = TypeVar("T")


@pytest.fixture(autouse=True)
def rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Commits are real: the store has connections of its own."""
    with committed(django_db_blocker):
        yield


def unopened() -> DirectoryStore:
    parameters = connection.get_connection_params()
    address = make_conninfo(**{name: parameters[name] for name in ("host", "dbname", "user")})
    vault = Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])
    return DirectoryStore(address, vault=vault, simulator=True)


def asked(question: Callable[[DirectoryStore], Awaitable[T]]) -> T:
    async def ask() -> T:
        store = unopened()
        await store.open()
        try:
            return await question(store)
        finally:
            await store.close()

    return asyncio.run(ask())


def catalog() -> Catalog:
    return asked(DirectoryStore.catalog)


def provider(name: str, *keys: WeightedKey) -> None:
    providers.upsert(
        actor=SYSTEM,
        name=name,
        preset="openai",
        dialect="openai",
        base_url=f"http://{name}/v1",
        api_keys=keys,
    )


def told(targets: tuple[Target, ...]) -> list[tuple[str, str, str, int, float]]:
    return [(one.provider, one.api_key, one.key_id, one.priority, round(one.weight, 6)) for one in targets]


def test_a_provider_with_several_keys_divides_the_weight_of_its_route() -> None:
    provider("keyed", WeightedKey("sk-a", 300), WeightedKey("sk-b", 100))
    provider("keyless")
    routes = [RouteTo("keyed", "m-1", weight=40), RouteTo("keyless", "m-2", priority=2)]
    models.upsert(actor=SYSTEM, name="m", routes=routes, aliases=["b", "a"])

    found = catalog().find("a")

    first, second = map(str, ProviderKey.objects.values_list("id", flat=True))
    assert found is not None
    assert found.names == ("m", "a", "b")
    assert told(found.targets) == [
        ("keyed", "sk-a", first, 1, 30.0),
        ("keyed", "sk-b", second, 1, 10.0),
        ("keyless", "", "", 2, 100.0),
    ]
    assert {(one.preset, one.dialect) for one in found.targets} == {("openai", "openai")}


def test_a_key_that_nothing_opens_leaves_its_share_to_the_others() -> None:
    provider("half", WeightedKey("sk-a"), WeightedKey("sk-b"))
    provider("none", WeightedKey("sk-c"))
    models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("half", "m"), RouteTo("none", "m")])
    lost, kept, alone = ProviderKey.objects.order_by("id").values_list("id", flat=True)
    ProviderKey.objects.filter(pk__in=[lost, alone]).update(encrypted_api_key=b"made under a lost key")

    found = catalog().find("m")

    assert found is not None
    assert told(found.targets) == [
        ("half", "sk-b", str(kept), 1, 100.0),
        ("none", "", str(alone), 1, 100.0),
    ]


def test_a_model_carries_the_price_in_force() -> None:
    provider("p")
    for amount in (Decimal(1), Decimal("0.0000000003")):
        price = Rates(amount, amount * 2, amount * 3, amount * 4, amount * 5)
        models.upsert(actor=SYSTEM, name="priced", routes=[RouteTo("p", "m")], price=price)
    models.upsert(actor=SYSTEM, name="unpriced", routes=[RouteTo("p", "n")])

    found = catalog()

    priced, unpriced = found.names["priced"], found.names["unpriced"]
    last = Price.objects.latest("id")
    assert priced.price is not None
    assert [getattr(priced.price, name) for name in CLASSES] == [getattr(price, name) for name in CLASSES]
    assert priced.price_version == priced.price.id == last.pk
    assert (unpriced.price, unpriced.price_version) == (None, None)


def test_a_model_counts_in_its_group_and_without_one_in_the_default_pool() -> None:
    model_groups.upsert(actor=SYSTEM, name="large")
    routes = [RouteTo("simulator", "m")]
    models.upsert(actor=SYSTEM, name="big", routes=routes, group="large", aliases=["b"])
    models.upsert(actor=SYSTEM, name="small", routes=routes)

    found = catalog()

    assert {name: found.names[name].group for name in ("big", "b", "simulator/big", "small")} == {
        "big": "large",
        "b": "large",
        "simulator/big": "large",
        "small": "default",
    }


def test_the_simulators_models_have_targets_without_keys() -> None:
    found = catalog().find("simulator/claude-opus-5-5-latest")

    assert found is not None
    assert told(found.targets) == [("simulator", "", "", 1, 100.0)]


def test_a_principal_knows_the_rules_of_all_three() -> None:
    acme = organizations.create(actor=SYSTEM, name="Acme", tier=Tier.objects.get(name="pro"))
    research = workspaces.create(actor=SYSTEM, organization=acme, name="Research")
    organizations.set_models(actor=SYSTEM, organization=acme, denied=["claude-opus-*"])
    workspaces.set_models(actor=SYSTEM, workspace=research, allowed=["claude-sonnet-*"])
    held, free = key(acme, denied=["claude-sonnet-4-5"]), key(acme)

    default, other = held.workspaces
    names = ("claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-5", "claude-sonnet-5-5")
    assert [denied_by(default, [name]) for name in names] == ["organization", "", "api_key", ""]
    assert [denied_by(other, [name]) for name in names] == ["organization", "workspace", "api_key", ""]
    assert [len(one.rules) for one in free.workspaces] == [1, 2]


def test_a_principal_knows_the_geography_of_restricted_workspaces_only() -> None:
    acme = organizations.create(actor=SYSTEM, name="Acme", tier=Tier.objects.get(name="pro"))
    for name, residency in (
        ("Free", Residency("unrestricted", "global")),
        ("Preferring", Residency("unrestricted", "us")),
        ("Bound", Residency(["us"], "us")),
        ("Listed", Residency(["us", "global"])),
    ):
        workspaces.create(actor=SYSTEM, organization=acme, name=name, residency=residency)

    assert [one.geography for one in key(acme).workspaces] == [
        None,
        None,
        Geography(None, "us"),
        Geography(frozenset({"us"}), "us"),
        Geography(frozenset({"global", "us"}), "global"),
    ]


def key(organization: Organization, denied: list[str] | None = None) -> Principal:
    _, secret = api_keys.create(
        actor=SYSTEM, organization=organization, name="CI", denied_models=denied or []
    )
    digest = credentials.digest(secret, settings.CONFIGURATION.peppers[0])
    found = asked(lambda store: store.principal(digest))
    assert found is not None
    return found
