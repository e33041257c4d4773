"""Models and providers, ready to be drawn. Members read models; ways to them and providers are for operators."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
import structlog

from admin_api.changes import shown
from admin_api.queries import catalog
from admin_api.queries.available_models import available_models
from admin_api.queries.provider_health import ProviderHealth, provider_health
from dashboard.frame import figures
from gateway import circuit_gauges
from gateway.circuit_gauges import CircuitGauge
from gateway.circuit_names import circuit_name
from gateway.model_rules import rules_of
from gateway.models import Model, Organization, Price, Provider, Route
from gateway.models.catalog import Origin
from gateway.price import CLASSES
from gateway.protocol.anthropic.families import Family, Schemas, Thinking, family_of
from gateway.protocol.vendors import vendor_of

log = structlog.get_logger(__name__)

FAILING_PERCENT = 5  # of the attempts of an hour, from which a provider is said to fail
NO_KEY = ""
RATES = {
    "input": "Input",
    "cache_read": "Cache read",
    "cache_write_5m": "Cache write, 5 min",
    "cache_write_1h": "Cache write, 1 h",
    "output": "Output",
}


@dataclasses.dataclass(frozen=True)
class ShownModel:
    """A model as `queries.catalog.models` has it. `allowed` is None where nobody is asked about."""

    row: Model
    aliases: Sequence[str]
    capabilities: Sequence[str]
    price: Price | None
    next_price: Price | None
    allowed: bool | None
    routes: Sequence[Route]

    @property
    def input_price(self) -> str:
        return dollars(self.price.input) if self.price else ""

    @property
    def output_price(self) -> str:
        return dollars(self.price.output) if self.price else ""

    @property
    def simulated(self) -> bool:
        return bool(self.row.origin == Origin.SIMULATOR)

    @property
    def unreachable(self) -> bool:
        """Whether nobody serves it at this moment: there is no way to it, or none that is not drained."""
        return all(route.provider.drained_at is not None for route in self.routes)


@dataclasses.dataclass(frozen=True)
class ShownPrice:
    """A version of a price; `state` is `now`, `next` or `past`."""

    row: Price
    state: str
    rates: Sequence[tuple[str, str, str]]  # what it is of, up to the long context's threshold, and above it

    @property
    def batch(self) -> str:
        return shown(self.row.batch_factor)

    @property
    def web_search(self) -> str:
        return dollars(self.row.web_search)


@dataclasses.dataclass(frozen=True)
class ShownCircuit:
    """What fails together. `state` is `closed`, `open` or `half open`; empty while Valkey is away."""

    model: str
    key: str
    gauge: CircuitGauge | None

    @property
    def state(self) -> str:
        if self.gauge is None:
            return ""
        if not self.gauge.opened:
            return "closed"
        return "open" if self.gauge.open_seconds > 0 else "half open"


@dataclasses.dataclass(frozen=True)
class ShownProvider:
    """A provider, how it answered in the last hour, and its circuits right now."""

    row: Provider
    keys: Sequence[Any]
    routes: Sequence[Route]
    health: ProviderHealth | None
    circuits: Sequence[ShownCircuit]

    @property
    def open_circuits(self) -> int:
        return sum(1 for circuit in self.circuits if circuit.state not in ("", "closed"))

    @property
    def circuit_words(self) -> str:
        if not self.circuits or all(circuit.state == "" for circuit in self.circuits):
            return "unknown" if self.circuits else "none"
        return f"{self.open_circuits} of {len(self.circuits)} open" if self.open_circuits else "closed"

    @property
    def state(self) -> tuple[str, str]:
        """In words, and as a kind of badge."""
        if self.row.drained_at is not None:
            return "Drained", "warn"
        if self.open_circuits:
            return "Circuit open", "bad"
        if self.health is None:
            return "No traffic", "plain"
        if self.health.failed * 100 >= self.health.attempts * FAILING_PERCENT:
            return "Failing", "bad"
        return "Healthy", "good"

    @property
    def p95(self) -> str:
        known = self.health and self.health.p95_ms
        return figures.duration(known) if known else "—"

    @property
    def first_token_p95(self) -> str:
        known = self.health and self.health.first_token_p95_ms
        return figures.duration(known) if known else "—"

    @property
    def errors(self) -> str:
        return figures.percent(self.health.failed, self.health.attempts) if self.health else "—"

    @property
    def simulated(self) -> bool:
        return bool(self.row.origin == Origin.SIMULATOR)


def models(organization: Organization | None, *, text: str = "") -> list[ShownModel]:
    """By name; with `text` those that have it in a name or an alias. With an organization also whether it may."""
    allowed = _allowed(organization)
    found = (shown_model(row, allowed) for row in catalog.models().order_by("name"))
    wanted = text.casefold()
    return [one for one in found if not wanted or any(wanted in name.casefold() for name in _names(one))]


def shown_model(row: Any, allowed: frozenset[str] | None = None) -> ShownModel:
    routes = list(row.routes.all())
    return ShownModel(
        row=row,
        aliases=sorted(alias.alias for alias in row.aliases.all()),
        capabilities=_capabilities(routes),
        price=next(iter(row.current_prices), None),
        next_price=next(iter(row.scheduled_prices), None),
        allowed=None if allowed is None else row.name in allowed,
        routes=routes,
    )


def may_use(organization: Organization | None) -> frozenset[str] | None:
    """The names of the models that the organization may use; None where there is no organization."""
    return _allowed(organization)


def prices(row: Model, now: datetime.datetime, most: int = 50) -> list[ShownPrice]:
    """The versions of a model's price, the latest first."""
    versions = list(row.prices.order_by("-effective_at", "-id")[:most])
    current = next((one for one in versions if one.effective_at <= now), None)
    return [_price(one, current, now) for one in versions]


def providers(rows: Iterable[Provider]) -> list[ShownProvider]:
    """With figures of the ledger, and circuits of Valkey, as far as it answers."""
    known = list(rows)
    routes: dict[int, list[Route]] = {}
    for route in Route.objects.select_related("model").order_by("model__name", "priority", "id"):
        routes.setdefault(route.provider_id, []).append(route)
    places = {row.pk: _places(row, routes.get(row.pk, [])) for row in known}
    gauges = _gauges([name for of_one in places.values() for name, _, _ in of_one])
    health = provider_health()
    return [
        ShownProvider(
            row=row,
            keys=list(row.keys.all()),
            routes=routes.get(row.pk, []),
            health=health.get(row.name),
            circuits=[ShownCircuit(model, key, gauges.get(name)) for name, model, key in places[row.pk]],
        )
        for row in known
    ]


def visibility(row: Any) -> tuple[list[tuple[str, int, int]], list[Organization]]:
    """Of each tier how many of its organizations may use the model, and of how many; and who may not."""
    names = {row.name, *(alias.alias for alias in row.aliases.all())}
    counts: dict[str, list[int]] = {}
    denied = []
    for one in Organization.objects.select_related("tier").order_by("tier__name", "name"):
        may = all(
            rule.permit(names) for rule in rules_of(("organization", one.allowed_models, one.denied_models))
        )
        of_tier = counts.setdefault(one.tier.name, [0, 0])
        of_tier[0] += may
        of_tier[1] += 1
        if not may:
            denied.append(one)
    return [(tier, may, all_of_them) for tier, (may, all_of_them) in counts.items()], denied


def dollars(rate: Any) -> str:
    """Exactly, with two decimal places at least where there are any."""
    text = shown(rate)
    places = len(text.partition(".")[2])
    return f"${text}0" if places == 1 else f"${text}"


def _allowed(organization: Organization | None) -> frozenset[str] | None:
    if organization is None:
        return None
    return frozenset(model.name for model in available_models(organization).models)


def _names(one: ShownModel) -> Sequence[str]:
    return (one.row.name, one.row.display_name, *one.aliases)


def _price(row: Price, current: Price | None, now: datetime.datetime) -> ShownPrice:
    state = "now" if row is current else "next" if row.effective_at > now else "past"
    above = row.long_context_threshold is not None
    rates = [
        (
            RATES[name],
            dollars(getattr(row, name)),
            dollars(getattr(row, f"long_context_{name}")) if above else "",
        )
        for name in sorted(CLASSES, key=list(RATES).index)
    ]
    return ShownPrice(row, state, rates)


def _capabilities(routes: Sequence[Route]) -> list[str]:
    """What the first way to the model can do; of Claude's models by their version."""
    if not routes:
        return []
    route = routes[0]
    if route.provider.dialect == Provider.Dialect.OPENAI:
        profile = vendor_of(
            route.provider.preset, route.provider.dialect, route.provider.base_url
        ).profile_of(route.upstream_model)
        return ["Tools", *(["Effort"] if profile.efforts else [])]
    return ["Tools", *_of_family(family_of(route.upstream_model))]


def _of_family(family: Family) -> list[str]:
    found = []
    if family.thinking is not Thinking.NONE:
        found.append("Thinking")
    if family.effort:
        found.append("Effort")
    if family.schemas is not Schemas.WORDS:
        found.append("JSON schema")
    return found


def _places(row: Provider, routes: Sequence[Route]) -> list[tuple[str, str, str]]:
    """Each circuit's name, the model there, and the key's hint."""
    keys = [
        (str(key.pk), f"…{key.api_key_hint}" if key.api_key_hint else f"#{key.pk}") for key in row.keys.all()
    ]
    there = sorted({route.upstream_model for route in routes})
    return [
        (circuit_name(row.name, key, model), model, hint)
        for model in there
        for key, hint in keys or [(NO_KEY, "")]
    ]


def _gauges(names: Sequence[str]) -> Mapping[str, CircuitGauge]:
    try:
        return circuit_gauges.read(names)
    except redis.RedisError as problem:
        log.warning("circuits_not_read", error=repr(problem))
        return {}
