"""The cache of keys: bounded, true within a second, and of use while Postgres is away."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from gateway import credentials
from gateway.directory import keys
from gateway.directory.keys import KeyCache
from gateway.directory.store import StoreUnavailable
from gateway.principal import Principal
from tests.limits.pools import unlimited

PEPPER, OLDER_PEPPER = b"a pepper", b"an older pepper"
ACME = uuid.uuid4()
WORKSPACE = unlimited("wrkspc_1")


def principal(key_id: str = "apikey_1") -> Principal:
    workspaces = (WORKSPACE,)
    return Principal(key_id, "api", ACME, "Acme", "", None, workspaces, False)


class Store:
    """Rows by digest; counts the queries, and can be away."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Principal] = {}
        self.queries = 0
        self.away = False

    async def load(self, digest: bytes) -> Principal | None:
        self.queries += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        return self.rows.get(digest)

    async def renew(self, before: bytes, after: bytes) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.rows[after] = self.rows.pop(before)

    def add(self, secret: str, pepper: bytes = PEPPER) -> None:
        self.rows[credentials.digest(secret, pepper)] = principal()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def cache(store: Store) -> KeyCache:
    cache = KeyCache(store.load, store.renew, [PEPPER, OLDER_PEPPER])
    cache.listening = True
    return cache


async def test_a_key_is_read_once_however_many_ask(store: Store, cache: KeyCache) -> None:
    secret = credentials.new_secret("api")
    store.add(secret)
    found = await asyncio.gather(*[cache.find(secret) for _ in range(50)])
    assert found == [principal()] * 50
    assert cache.cached(secret) == principal()
    assert store.queries == 1


async def test_an_unknown_key_is_remembered_until_it_is_made(store: Store, cache: KeyCache) -> None:
    secret = credentials.new_secret("api")
    assert [await cache.find(secret), await cache.find(secret)] == [None, None]
    assert store.queries == 2  # one for each pepper
    store.add(secret)
    cache.forget_key(credentials.digest(secret, PEPPER))
    assert await cache.find(secret) == principal()


async def test_a_revoked_key_is_read_again(store: Store, cache: KeyCache) -> None:
    secret = credentials.new_secret("api")
    store.add(secret)
    await cache.find(secret)
    cache.forget_key(credentials.digest(secret, PEPPER))
    assert cache.cached(secret) is None


async def test_what_was_read_while_it_changed_is_not_kept(store: Store, cache: KeyCache) -> None:
    secret = credentials.new_secret("api")
    store.add(secret)
    reading = asyncio.create_task(cache.find(secret))
    while not store.queries:
        await asyncio.sleep(0)
    cache.forget_key(credentials.digest(secret, PEPPER))
    await reading
    assert cache.cached(secret) is None


async def test_a_key_made_under_an_older_pepper_works(store: Store, cache: KeyCache) -> None:
    secret = credentials.new_secret("api")
    store.add(secret, OLDER_PEPPER)
    assert await cache.find(secret) == principal()
    cache.forget_key(credentials.digest(secret, OLDER_PEPPER))
    assert cache.cached(secret) is None


async def test_a_key_that_is_used_comes_under_the_first_pepper(store: Store, cache: KeyCache) -> None:
    used, unused = credentials.new_secret("api"), credentials.new_secret("api")
    store.add(used, OLDER_PEPPER)
    store.add(unused, OLDER_PEPPER)
    await cache.find(used)
    await asyncio.sleep(0)
    assert store.rows.keys() == {credentials.digest(used, PEPPER), credentials.digest(unused, OLDER_PEPPER)}
    later = KeyCache(store.load, store.renew, [PEPPER])
    assert [await later.find(used), await later.find(unused)] == [principal(), None]


async def test_known_keys_outlive_postgres_and_unknown_ones_are_never_called_wrong(
    store: Store, cache: KeyCache
) -> None:
    known, unknown = credentials.new_secret("api"), credentials.new_secret("api")
    store.add(known)
    await cache.find(known)
    cache.doubt_all()
    store.away = True
    assert cache.cached(known) is None
    assert await cache.find(known) == principal()
    with pytest.raises(StoreUnavailable):
        await cache.find(unknown)


async def test_without_announcements_keys_are_read_again_after_seconds(
    store: Store, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = credentials.new_secret("api")
    store.add(secret)
    await cache.find(secret)
    monkeypatch.setattr(keys, "UNHEARD_SECONDS", 0.0)
    assert cache.cached(secret) == principal()
    cache.listening = False
    assert cache.cached(secret) is None


async def test_guessing_cannot_push_out_the_keys_in_use(
    store: Store, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "CAPACITY", 10)
    secret = credentials.new_secret("api")
    store.add(secret)
    await cache.find(secret)
    for _ in range(50):
        await cache.find(credentials.new_secret("api"))
    assert cache.cached(secret) == principal()
    assert len(cache._unknown) == 10


async def test_a_change_of_an_organization_forgets_its_keys_only(store: Store, cache: KeyCache) -> None:
    secret = credentials.new_secret("api")
    store.add(secret)
    await cache.find(secret)
    cache.forget_organization(uuid.uuid4())
    assert cache.cached(secret) == principal()
    cache.forget_organization(ACME)
    assert cache.cached(secret) is None
