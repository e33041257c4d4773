"""The embedded stores serve a Django test: PostgreSQL 18 and Valkey 9, both without a TCP port."""

from __future__ import annotations

import pytest
import redis
from django.core.cache import cache
from django.db import connection

from gateway.models import Organization, Tier


@pytest.mark.django_db
def test_the_embedded_database_is_postgresql_18_on_a_socket_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('listen_addresses')"
        )
        assert cursor.fetchone() == (18, "")


@pytest.mark.django_db
def test_the_tables_of_the_gateway_exist() -> None:
    Organization.objects.create(name="Acme", tier=Tier.objects.get(name="basic"))

    assert Organization.objects.filter(name="Acme").count() == 1


def test_the_embedded_valkey_is_version_9_without_a_port(valkey: redis.Redis) -> None:
    server = valkey.info("server")

    assert (server["valkey_version"].split(".")[0], server["tcp_port"]) == ("9", 0)


def test_the_cache_of_django_reaches_it(valkey: redis.Redis) -> None:
    cache.set("colour", "green", 60)

    assert cache.get("colour") == "green"
