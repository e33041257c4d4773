"""The models and keys that cost most in the time that is looked at."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from dashboard.frame import figures
from dashboard.frame.place import Place
from dashboard.overview.standing import own_keys
from dashboard.overview.usage import Usage
from gateway.metering import first_tokens, leaders
from gateway.metering.first_tokens import FirstTokens
from gateway.models import ApiKey

MOST = 5


@dataclasses.dataclass(frozen=True)
class Leader:
    """`percent` of the cost of all, as a whole number for the bar; `key` is the id of a key that has a page."""

    name: str
    requests: str
    cost: str
    exact: str
    percent: int
    key: str = ""


@dataclasses.dataclass(frozen=True)
class Leaders:
    """`waited` are the newest attempts of the time; `cached` is how much of the input came out of caches."""

    models: list[Leader]
    keys: list[Leader]
    waited: FirstTokens | None
    cached: str

    @property
    def waited_words(self) -> str:
        if self.waited is None:
            return "mean time"
        halfway, late = figures.duration(self.waited.p50), figures.duration(self.waited.p95)
        return f"mean · p50 {halfway} · p95 {late}"


def read(place: Place, used: Usage, now: datetime.datetime) -> Leaders:
    start, end = used.range.span(now)
    only = own_keys(place)
    organization_id = place.organization.id
    largest = leaders.keys(
        organization_id, start=start, end=end, width=used.range.width, most=MOST, among=only
    )
    names = ApiKey.objects.filter(organization=place.organization).in_bulk(
        [one.api_key_id for one in largest]
    )
    return Leaders(
        models=_models(used),
        keys=[
            _leader(
                names[one.api_key_id].name if one.api_key_id in names else one.api_key_id,
                one.requests,
                one.cost,
                used,
                _page(place, names.get(one.api_key_id)),
            )
            for one in largest
        ],
        waited=first_tokens.percentiles(organization_id, start=start, end=end, api_key_ids=only),
        cached=figures.percent(used.cached_tokens, used.input_tokens),
    )


def _page(place: Place, key: ApiKey | None) -> str:
    """Admins see the pages of all keys; those of the Playground have none."""
    return key.id if key is not None and place.is_admin and key.kind == ApiKey.Kind.API else ""


def _models(used: Usage) -> list[Leader]:
    costs: dict[str, Decimal] = {}
    requests: dict[str, int] = {}
    for row in used.rows:
        name = row.dimensions["model"] or "unknown"
        costs[name] = costs.get(name, Decimal(0)) + row.cost
        requests[name] = requests.get(name, 0) + row.requests
    names = _ordered(costs, requests)[:MOST]
    return [_leader(name, requests[name], costs[name], used) for name in names]


def _ordered(costs: Mapping[str, Decimal], requests: Mapping[str, int]) -> Sequence[str]:
    return sorted(costs, key=lambda name: (-costs[name], -requests[name], name))


def _leader(name: str, requests: int, cost: Decimal, used: Usage, key: str = "") -> Leader:
    return Leader(
        name=name,
        requests=figures.count(requests),
        cost=figures.brief_money(cost),
        exact=figures.exact_money(cost),
        percent=round(cost * 100 / used.cost) if used.cost else 0,
        key=key,
    )
