"""The cast as fixtures; imported inside, since pytest may load this file before the settings can be read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django.plugin import DjangoDbBlocker

if TYPE_CHECKING:
    import redis

    from gateway.supervisor.postgres import Postgres
    from gateway.supervisor.valkey import Valkey
    from tests.admin_api.door import Door
    from tests.admin_api.key_maker import Admin
    from tests.admin_api.two_tenants import Scene
    from tests.metering.ledger import Ledger
    from tests.people import Cast


@pytest.fixture
def people(db: None) -> Cast:
    from tests.people import cast

    return cast()


@pytest.fixture
def committed_people(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    """The cast for tests whose threads see each other's commits."""
    from tests.committed import committed
    from tests.people import cast

    with committed(django_db_blocker):
        yield cast()


@pytest.fixture
def ledger(
    db: None, postgres_server: Postgres, valkey_server: Valkey, valkey: redis.Redis
) -> Iterator[Ledger]:
    from tests.metering.ledger import empty_ledger

    with empty_ledger(postgres_server, valkey_server, valkey) as ledger:
        yield ledger


@pytest.fixture(scope="package")
def door(
    django_db_setup: None, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """A web process on the very database that the tests' own Django uses: what they commit, it sees."""
    with open_door(tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.fixture
def admin(door: Door, committed_people: Cast) -> Admin:
    """Acme's Admin key at that door."""
    from tests.admin_api.door import admin_key
    from tests.admin_api.key_maker import Admin

    return Admin(door, admin_key(committed_people.acme)[1])


@pytest.fixture(scope="module")
def whole_scene(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Scene]:
    """Two organizations with everything in them, in a transaction that is never committed."""
    from django.db import transaction

    from tests.admin_api.two_tenants import Scene

    with django_db_blocker.unblock(), transaction.atomic():
        yield Scene()
        transaction.set_rollback(True)


@pytest.fixture
def scene(whole_scene: Scene) -> Iterator[Scene]:
    """As it was made, whatever the test before did."""
    from tests.admin_api.two_tenants import undone

    with undone():
        yield whole_scene


@contextlib.contextmanager
def open_door(folder: Path, **environment: str) -> Iterator[Door]:
    """A web process of that kind with settings of its own."""
    from django.conf import settings

    from tests.admin_api.door import Door
    from tests.data_plane.house import Gateway

    configured = settings.CONFIGURATION.database_url
    name = settings.DATABASES["default"]["NAME"]
    before, _, after = configured.partition("?")
    usual = {"DATABASE_URL": f"{before.rpartition('/')[0]}/{name}?{after}", "GATEWAY_DRAIN_SECONDS": "0"}
    gateway = Gateway(os.environ | usual | environment, folder / "gateway.log")
    try:
        gateway.wait_until_ready()
        yield Door(gateway.port)
    finally:
        gateway.close()
