"""Locks for what no row can be locked for, since it concerns rows of several tables, or none yet."""

from __future__ import annotations

from django.db import connection

CATALOG = 0x67770001


def hold_catalog() -> None:
    """One at a time changes providers, models and their groups, tiers or names of organizations, until its transaction
    ends: claims on names are checked across tables, and routes and limits of groups must lead somewhere.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOG])
