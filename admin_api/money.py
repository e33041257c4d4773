"""From dollars, in which prices and the ledger are, to cents, in which the Admin API tells money.

Amounts that people set (`SpendLimit.amount`) are whole cents from the beginning.
"""

from __future__ import annotations

from decimal import Decimal

CURRENCY = "USD"
_CENTS_PER_DOLLAR = 100


def cents(dollars: Decimal) -> Decimal:
    """Exactly, with what is less than a cent."""
    return dollars * _CENTS_PER_DOLLAR


def cents_in_sql(dollars: str) -> str:
    """As `cents`, for an SQL expression of dollars; without zeros at the end."""
    return f"trim_scale({dollars} * {_CENTS_PER_DOLLAR})"
