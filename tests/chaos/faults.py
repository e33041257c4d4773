"""The faults by name. Each takes the arena, a place (of a web process) and seconds, and returns when it is over.

Whatever it ends it also starts again, as the supervisor of `manage.py up` would.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.chaos.arena import Arena

Fault = Callable[[Arena, int, float], None]


def web_killed(arena: Arena, place: int, seconds: float) -> None:
    process = arena.web.process(place)
    process.suspend()  # from here on it takes no new client
    arena.deaths |= arena.web.clients(place)
    arena.web.kill(place)
    arena.web.start(place)
    arena.web.wait_until_serving(place)


def web_restarted(arena: Arena, place: int, seconds: float) -> None:
    arena.web.restart(place)


def web_frozen(arena: Arena, place: int, seconds: float) -> None:
    process = arena.web.process(place)
    process.suspend()
    time.sleep(seconds)
    process.resume()


def drain_killed(arena: Arena, place: int, seconds: float) -> None:
    arena.site.drain.kill()
    time.sleep(0.1)
    arena.site.drain.start()


def drain_restarted(arena: Arena, place: int, seconds: float) -> None:
    arena.site.drain.close()
    arena.site.drain.start()


def drain_frozen(arena: Arena, place: int, seconds: float) -> None:
    arena.site.drain.freeze()
    time.sleep(seconds)
    arena.site.drain.thaw()


def valkey_killed(arena: Arena, place: int, seconds: float) -> None:
    arena.site.valkey.kill()
    time.sleep(seconds)
    arena.site.valkey.start()


def valkey_frozen(arena: Arena, place: int, seconds: float) -> None:
    arena.site.valkey.freeze()
    time.sleep(seconds)
    arena.site.valkey.thaw()


def valkey_emptied(arena: Arena, place: int, seconds: float) -> None:
    arena.site.valkey.kill(forget=True)
    time.sleep(seconds)
    arena.site.valkey.start()


def postgres_killed(arena: Arena, place: int, seconds: float) -> None:
    arena.site.postgres.kill()
    time.sleep(seconds)
    arena.site.postgres.start()


def postgres_frozen(arena: Arena, place: int, seconds: float) -> None:
    arena.site.postgres.freeze()
    time.sleep(seconds)
    arena.site.postgres.thaw()


def provider_slow(arena: Arena, place: int, seconds: float) -> None:
    arena.proxy.behave(latency=0.2)
    _heal_after(arena, seconds)


def provider_resets(arena: Arena, place: int, seconds: float) -> None:
    arena.proxy.behave(cut_after=900, how="reset")
    _heal_after(arena, seconds)


def provider_half_closes(arena: Arena, place: int, seconds: float) -> None:
    arena.proxy.behave(cut_after=900, how="half_close")
    _heal_after(arena, seconds)


def provider_corrupts(arena: Arena, place: int, seconds: float) -> None:
    arena.proxy.behave(corrupt=500)
    _heal_after(arena, seconds)


def provider_black_hole(arena: Arena, place: int, seconds: float) -> None:
    arena.proxy.behave(black_hole=True)
    _heal_after(arena, seconds)


def provider_refuses(arena: Arena, place: int, seconds: float) -> None:
    arena.proxy.behave(refuse=True)
    _heal_after(arena, seconds)


def _heal_after(arena: Arena, seconds: float) -> None:
    time.sleep(seconds)
    arena.proxy.behave()
    arena.proxy.cut()  # connections that lost a part of what was said are no use to anybody


# By what they befall: in one round, nothing is hit twice.
FAULTS: dict[str, list[Fault]] = {
    "web": [web_killed, web_restarted, web_frozen],
    "drain": [drain_killed, drain_restarted, drain_frozen],
    "valkey": [valkey_killed, valkey_frozen, valkey_emptied],
    "postgres": [postgres_killed, postgres_frozen],
    "provider": [
        provider_slow,
        provider_resets,
        provider_half_closes,
        provider_corrupts,
        provider_black_hole,
        provider_refuses,
    ],
}
