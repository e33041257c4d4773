"""For tests whose threads must see each other's rows: commits are real, and are cleared away after.

Django's own flush cannot be used: the audit log refuses TRUNCATE, and the rows of migrations would be gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from pytest_django.plugin import DjangoDbBlocker

from gateway.models import Tier

# Tables with rows that migrations made.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}
CATALOG = {
    "gateway_tier",
    "gateway_provider",
    "gateway_modelgroup",
    "gateway_model",
    "gateway_route",
    "gateway_price",
}
CONFIGURED = "SELECT id FROM gateway_model WHERE origin <> 'simulator'"
STANDARD = ["basic", "pro", "enterprise"]


@contextmanager
def committed(blocker: DjangoDbBlocker) -> Iterator[None]:
    with blocker.unblock():
        tiers = list(Tier.objects.filter(name__in=STANDARD))
        try:
            yield
        finally:
            clear()
            for tier in tiers:
                tier.save()
            connection.close()


@transaction.atomic
def clear() -> None:
    """Everything but what the migrations made, the audit log included, since triggers rest.

    Deleted and not truncated: that would write new files for each of sixty tables and their indexes, of which a
    test has filled a few.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        tables = set(connection.introspection.table_names(cursor)) - KEPT - CATALOG
        for table in _with_rows(cursor, sorted(tables)):
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute(f"DELETE FROM gateway_price WHERE model_id IS NULL OR model_id IN ({CONFIGURED})")
        cursor.execute(f"DELETE FROM gateway_route WHERE model_id IN ({CONFIGURED})")
        cursor.execute("DELETE FROM gateway_model WHERE origin <> 'simulator'")
        cursor.execute("UPDATE gateway_model SET group_id = NULL")
        cursor.execute("DELETE FROM gateway_modelgroup")
        cursor.execute("DELETE FROM gateway_provider WHERE origin <> 'simulator'")
        cursor.execute("DELETE FROM gateway_tier WHERE name <> ALL(%s)", [STANDARD])


def _with_rows(cursor: CursorWrapper, tables: Sequence[str]) -> list[str]:
    cursor.execute(" UNION ALL ".join(f"SELECT '{one}' WHERE EXISTS (SELECT FROM {one})" for one in tables))
    return [name for (name,) in cursor.fetchall()]
