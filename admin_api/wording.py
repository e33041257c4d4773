"""What is wrong with a field, said as Anthropic's API says it: `name: Field required`. Clients match on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rest_framework.settings import api_settings

Path = tuple[str, ...]
Detail = str | Sequence["Detail"] | Mapping[str | int, "Detail"]

# DRF's words, and ours. What stands in no row is passed on as it is.
WORDS = [
    (r"This field is required\.", "Field required"),
    (r"This field may not be null\.", "Input should not be null"),
    (r"This field may not be blank\.", "String should have at least 1 character"),
    (r"Not a valid string\.", "Input should be a valid string"),
    (r"Null characters are not allowed\.", "String should not contain NUL characters"),
    (r"Must be a valid boolean\.", "Input should be a valid boolean"),
    (r"A valid integer is required\.", "Input should be a valid integer"),
    (r"A valid number is required\.", "Input should be a valid number"),
    (r"String value too large\.", "Input should be a valid number"),
    (r"Must be a valid UUID\.", "Input should be a valid UUID"),
    (r"Enter a valid email address\.", "Input should be a valid email address"),
    (
        r"(?:Datetime has wrong format|Expected a datetime).*",
        "Input should be a valid datetime such as 2026-11-26T00:00:00Z",
    ),
    (r"(?:Date has wrong format|Expected a date but).*", "Input should be a valid date such as 2026-11-26"),
    (r'"(.*)" is not a valid choice\.', r'"\1" is not a valid value'),
    (r"Expected a list of items.*", "Input should be a valid list"),
    (r"(?:Expected a dictionary|Invalid data\. Expected a dictionary).*", "Input should be an object"),
    (r"This list may not be empty\.", "List should have at least 1 item"),
    (r"Ensure this field has no more than (\d+) elements\.", r"List should have at most \1 items"),
    (r"Ensure this field has at least (\d+) elements\.", r"List should have at least \1 items"),
    (r"Ensure this field has no more than (\d+) characters\.", r"String should have at most \1 characters"),
    (r"Ensure this field has at least (\d+) characters\.", r"String should have at least \1 characters"),
    (r"Ensure this value is less than or equal to (.+)\.", r"Input should be less than or equal to \1"),
    (r"Ensure this value is greater than or equal to (.+)\.", r"Input should be greater than or equal to \1"),
]
_ROWS = [(re.compile(theirs, re.DOTALL), ours) for theirs, ours in WORDS]
_LONGEST = 300  # characters; some messages quote what was sent


def words_of(detail: Detail) -> str:
    """The first thing that is wrong, after the path of its field: `limits.0.value: Field required`."""
    path, message = next(_leaves(detail, ()), ((), "Invalid request"))
    words = _words(message)
    return f"{'.'.join(path)[:_LONGEST]}: {words}" if path else words


def _leaves(detail: Detail, path: Path) -> Iterator[tuple[Path, str]]:
    """Messages with where they belong; in a list of objects the right ones have none."""
    if isinstance(detail, str):
        yield path, detail
    elif isinstance(detail, Mapping):
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from _leaves(inner, path if whole else (*path, str(name)))
    else:
        for position, inner in enumerate(detail):
            yield from _leaves(inner, path if isinstance(inner, str) else (*path, str(position)))


def _words(message: str) -> str:
    for theirs, ours in _ROWS:
        if match := theirs.fullmatch(message):
            return match.expand(ours)[:_LONGEST]
    return message[:_LONGEST]
