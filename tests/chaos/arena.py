"""What the faults fall upon: three web processes on one socket, a drain, both stores, a provider behind a proxy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.supervisor.postgres import Postgres
from tests.data_plane.house import PROVIDER_KEY, Tenant, body
from tests.faults import FaultProxy
from tests.outages.site import Site, open_site
from tests.outages.web_group import WebGroup

# The providers' names are the beginnings of their addresses too: so a call is known for its row in the ledger.
FAULTY, SPARE, TRANSLATED = "faulty", "spare", "translated"
RELAYED_MODEL, SPARED_MODEL, TRANSLATED_MODEL = "claude-faulty", "claude-spared", "gpt-faulty"
TIMEOUTS = {"connect": 1.0, "first_byte": 2.0, "idle": 2.0}
CONCURRENT = 40  # requests of one tenant at once
TENANTS = 3


@dataclass
class Arena:
    """`deaths` are ports of clients whose process was killed; `windows` tells when which fault was on."""

    site: Site
    web: WebGroup
    proxy: FaultProxy
    tenants: list[Tenant]
    descriptors: int
    tasks: int
    deaths: set[int] = field(default_factory=set)
    windows: list[tuple[str, float, float]] = field(default_factory=list)

    @contextlib.contextmanager
    def window(self, name: str) -> Iterator[None]:
        """A fault is on, for the length of a `with`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.windows.append((name, began, time.monotonic()))

    def during(self, name: str, began: float, ended: float) -> bool:
        """Whether a fault whose name begins so was on at some time between."""
        return any(
            one.startswith(name) and start <= ended and began <= end for one, start, end in self.windows
        )


@contextlib.contextmanager
def open_arena(shared: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Arena]:
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(
            open_site(shared, scratch_folders, "chaos", GATEWAY_STREAM_CHECK_SHARE="0")
        )
        site.house.gateway.close()  # the group takes its place
        proxy = stack.enter_context(FaultProxy(f"127.0.0.1:{site.house.upstream.port}"))
        _furnish(site, proxy)
        limits = {"concurrent_requests": CONCURRENT}
        tenants = [site.house.tenant(limits=limits) for _ in range(TENANTS)]
        web = stack.enter_context(WebGroup(site.house.environment, site.folder))
        descriptors = max(web.process(place).num_fds() for place in web.places)
        tasks = max(int(figures["gateway_tasks"]) for figures in web.figures().values())
        yield Arena(site, web, proxy, tenants, descriptors, tasks)


def ask_as(arena: Arena, tenant: Tenant, script: str, model: str, stream: bool) -> bytes:
    """The bytes of a request; its session is the script's name, by which the ledger knows it."""
    raw = body(model, script, stream=stream)
    return arena.site.house.message(raw, key=tenant.key, headers=[("x-session-id", script)])


def _furnish(site: Site, proxy: FaultProxy) -> None:
    faulty, sound = f"http://127.0.0.1:{proxy.port}", site.house.upstream.base_url
    addresses = {
        FAULTY: (f"{faulty}/{FAULTY}", "anthropic"),
        SPARE: (f"{sound}/{SPARE}", "anthropic"),
        TRANSLATED: (f"{faulty}/{TRANSLATED}/v1", "openai"),
    }
    for name, (address, dialect) in addresses.items():
        site.house.office.wish(
            "provider", name=name, base_url=address, dialect=dialect, api_key=PROVIDER_KEY, timeouts=TIMEOUTS
        )
    for model, providers in (
        (RELAYED_MODEL, [FAULTY]),
        (SPARED_MODEL, [FAULTY, SPARE]),
        (TRANSLATED_MODEL, [TRANSLATED]),
    ):
        routes = [
            {"provider": name, "model": "upstream-model", "priority": priority}
            for priority, name in enumerate(providers, 1)
        ]
        site.house.office.wish("model", name=model, routes=routes, aliases=[])
