"""What values of the catalog may be, whoever brings them: the file of `manage.py apply`, or the platform API."""

from __future__ import annotations

import datetime
from decimal import Decimal

DIALECTS = ("anthropic", "openai", "simulator")
ON_DISCONNECT = ("abort", "drain")
BATCHES = ("emulated", "native")
NATIVE_BATCHES = "only a provider of the anthropic dialect can take batches itself"
LONGEST_NAME = 64  # characters, of a provider or tier
LONGEST_MODEL = 200
LONGEST_TITLE = 200
LONGEST_KEY = 4000
MOST_TOKENS = 2_147_483_647
MOST_SECONDS = 86_400
MOST_WEIGHT = 1_000_000  # and the largest priority
RATE_PLACES = 10

NAME = "a name of 1 to {} characters without spaces"
KEY = f"the provider's key: up to {LONGEST_KEY} printable characters without spaces"
RATE = f"dollars per million tokens, a number from 0 with at most {RATE_PLACES} decimal places"
FACTOR = "a number from 0 to 1 with at most ten decimal places"
MOMENT = "a time such as 2027-01-01T00:00:00Z, of the years 2000 to 2199; without a zone it is UTC"
SEARCHES = f"dollars per thousand searches, a number from 0 with at most {RATE_PLACES} decimal places"
SECONDS = f"seconds, a number above 0 and up to {MOST_SECONDS}"


def is_name(text: str, longest: int, *, spaces: bool = False) -> bool:
    """Of anything that is referred to by name. `spaces` may stand inside where names are for people."""
    good = text.isprintable() and text == text.strip() and (spaces or " " not in text)
    return good and 1 <= len(text) <= longest


def is_title(text: str) -> bool:
    """What people are shown for a model's name."""
    return text.isprintable() and 1 <= len(text) <= LONGEST_TITLE


def is_key(text: str) -> bool:
    """A secret that can stand in a header."""
    return text.isascii() and text.isprintable() and " " not in text and 1 <= len(text) <= LONGEST_KEY


def is_rate(rate: Decimal) -> bool:
    """A price that the table holds exactly."""
    return 0 <= rate < 10**10 and rate == round(rate, RATE_PLACES)


def is_factor(factor: Decimal) -> bool:
    """What part of a price is charged."""
    return 0 <= factor <= 1 and is_rate(factor)


def is_moment(at: datetime.datetime) -> bool:
    """A time that every program can count with, whatever its zone."""
    return at.tzinfo is not None and 2000 <= at.year < 2200


def takes_batches(batches: object, dialect: str) -> bool:
    """Whether a provider of this dialect can be asked to carry batches so."""
    return batches != "native" or dialect == "anthropic"


def is_timeout(seconds: float | Decimal) -> bool:
    return 0 < seconds <= MOST_SECONDS
