"""Canaries: where a secret must not show, and in which shapes it is looked for there."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import psycopg
import redis

from tests.data_plane.wire import Answer
from tests.outages.site import Site

TELLING = 20  # characters of a secret that already tell it


def sightings(canaries: Mapping[str, str], places: Mapping[str, bytes]) -> dict[str, list[bytes]]:
    """The lines of each place in which a canary shows, by `canary in place`; nothing is good."""
    return {
        f"{name} in {place}": _lines_with(canary, content)
        for name, canary in canaries.items()
        for place, content in places.items()
        if any(form in content for form in _shapes(canary))
    }


def told(answer: Answer) -> bytes:
    return b"\n".join([answer.body, *(f"{name}: {value}".encode() for name, value in answer.headers)])


def database_values(site: Site) -> list[str]:
    """Every value of every table, as text."""
    tables = (
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    values: set[str] = set()
    with psycopg.connect(site.database.url) as connection:
        for (table,) in connection.execute(tables).fetchall():
            for (row,) in connection.execute(f'SELECT to_jsonb(t) FROM "{table}" t'.encode()).fetchall():
                values.update(_leaves(row))
    return sorted(values)


def valkey_values(site: Site) -> list[str]:
    client: redis.Redis = site.house.valkey
    values: set[str] = set()
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        found = {
            b"string": lambda key: client.get(key),
            b"hash": lambda key: client.hgetall(key),
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"set": lambda key: list(client.smembers(key)),
            b"list": lambda key: client.lrange(key, 0, -1),
            b"stream": lambda key: client.xrange(key),
            b"none": lambda key: None,  # it has run out since it was found
        }[kind](key)
        values.update(_leaves(found))
        values.add(_text(key))
    return sorted(values)


def _shapes(canary: str) -> list[bytes]:
    """Raw, its beginning, URL-encoded, and base64 at each of three offsets (without the ends, which vary)."""
    raw = canary.encode()
    shifted = [base64.b64encode(b"x" * offset + raw).decode() for offset in range(3)]
    return [
        raw[:TELLING],
        quote(canary, safe="").encode()[:TELLING],
        *(one[4:-4][: TELLING + 4].encode() for one in shifted),
        *(one[4:-4][: TELLING + 4].replace("+", "-").replace("/", "_").encode() for one in shifted),
    ]


def _lines_with(canary: str, content: bytes) -> list[bytes]:
    return [line[:400] for line in content.splitlines() if any(form in line for form in _shapes(canary))][:3]


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_leaves(key), *_leaves(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield _text(value)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
