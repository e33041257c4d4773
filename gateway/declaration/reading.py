"""From the text of a file to a `Declaration`, or to everything that is wrong with it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from msgspec import UNSET, UnsetType

from admin_api.catalog import RouteTo, Timeouts, WeightedKey
from admin_api.catalog_checks import (
    BATCHES,
    DIALECTS,
    KEY,
    LONGEST_MODEL,
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_TOKENS,
    MOST_WEIGHT,
    NAME,
    NATIVE_BATCHES,
    ON_DISCONNECT,
    SECONDS,
    is_key,
    is_name,
    is_timeout,
    is_title,
    takes_batches,
)
from admin_api.limits import LARGEST as LARGEST_LIMIT
from admin_api.provider_addresses import provider_address
from gateway.declaration.document import DeclarationError, Document, Fields, Value
from gateway.declaration.prices import price_of
from gateway.declaration.shapes import (
    Declaration,
    ModelEntry,
    ModelGroupEntry,
    Name,
    OrganizationEntry,
    PoolLimits,
    ProviderEntry,
    RouteEntry,
    TierEntry,
)
from gateway.limit_pools import RESERVED, names_in
from gateway.limiters import LIMIT_NAMES
from gateway.protocol.vendors import VENDORS, Vendor

T = TypeVar("T")

SECTIONS = ("providers", "model_groups", "models", "tiers", "organizations")
ADDRESS = "an http:// or https:// address"
KEYS = "a list of keys, each {key, weight}"
ROUTES = "a list of routes, each {provider, model, priority, weight}"


def read(text: str, environment: Mapping[str, str]) -> Declaration:
    """Raises `DeclarationError` with all problems of the file."""
    document = Document(environment)
    root = document.root(text)
    declaration = Declaration({}, {}, {}, {}, {})
    if root is not None:
        declaration = document.attempt(lambda: _declaration(root), declaration)
    if document.problems:
        raise DeclarationError(document.problems)
    return declaration


def _declaration(root: Value) -> Declaration:
    sections = root.fields(SECTIONS)
    return Declaration(
        providers=_section(sections, "providers", _provider, LONGEST_NAME),
        model_groups=_section(sections, "model_groups", _model_group, LONGEST_NAME),
        models=_section(sections, "models", _model, LONGEST_MODEL),
        tiers=_section(sections, "tiers", _tier, LONGEST_NAME),
        organizations=_section(sections, "organizations", _organization, 200),
    )


def _section(sections: Fields, name: str, reader: Callable[[str, Value], T], longest: int) -> dict[str, T]:
    spaces = name == "organizations"  # names of organizations are for people
    entries: dict[str, Value] = sections.read(
        name, lambda value: value.entries(f"a mapping of {name.replace('_', ' ')} by name"), {}
    )
    read: dict[str, T] = {}
    for key, value in entries.items():
        value.document.attempt(functools.partial(_check_name, value, key, longest, spaces), None)
        entry = value.document.attempt(functools.partial(reader, key, value), None)
        if entry is not None:
            read[key] = entry
    return read


def _check_name(value: Value, name: str, longest: int, spaces: bool = False) -> str:
    if not is_name(name, longest, spaces=spaces):
        expected = NAME.format(longest)
        value.wrong(f"expected {expected.removesuffix(' without spaces') if spaces else expected}")
    return name


def _provider(name: str, value: Value) -> ProviderEntry:
    known = ("preset", "dialect", "base_url", "api_key", "api_keys", "timeouts", "on_disconnect", "batches")
    fields = value.fields(known)
    vendor = fields.read("preset", _preset, None)
    dialect = _dialect(fields, vendor)
    return ProviderEntry(
        place=value.place,
        preset=vendor.name if vendor else "",
        dialect=dialect,
        base_url=_base_url(fields, vendor, dialect),
        api_keys=_keys(fields),
        timeouts=fields.read("timeouts", _timeouts, UNSET),
        on_disconnect=fields.read("on_disconnect", lambda field: field.one_of(ON_DISCONNECT), UNSET),
        batches=fields.read("batches", lambda field: _batches(field, dialect), UNSET),
    )


def _batches(value: Value, dialect: str) -> str:
    batches = value.one_of(BATCHES)
    if dialect and not takes_batches(batches, dialect):
        value.wrong(NATIVE_BATCHES)
    return batches


def _preset(value: Value) -> Vendor:
    return VENDORS[value.one_of(sorted(VENDORS))]


def _dialect(fields: Fields, vendor: Vendor | None) -> str:
    """The preset's dialect, with which one that is written has to agree; else the written one."""
    if "preset" not in fields.values:
        fields.require("dialect", "one of " + ", ".join(DIALECTS))
    if vendor is None:
        return fields.read("dialect", lambda field: field.one_of(DIALECTS), "")
    return fields.read("dialect", lambda field: _same_dialect(field, vendor), vendor.dialect)


def _same_dialect(value: Value, vendor: Vendor) -> str:
    dialect = value.one_of(DIALECTS)
    if dialect != vendor.dialect:
        value.wrong(f"the preset {vendor.name} speaks {vendor.dialect}; leave dialect out")
    return dialect


def _base_url(fields: Fields, vendor: Vendor | None, dialect: str) -> str:
    """The address that is written, else the preset's; the simulator needs none."""
    of_preset = vendor.base_url if vendor else ""
    refused = "preset" in fields.values and vendor is None
    if not of_preset and not refused and dialect != "simulator":
        fields.require("base_url", ADDRESS)
    return fields.read("base_url", lambda field: _address(field, dialect), of_preset)


def _address(value: Value, dialect: str) -> str:
    text = value.text(ADDRESS)
    try:
        return provider_address(text, dialect)
    except ValueError as problem:
        value.wrong(str(problem))


def _keys(fields: Fields) -> tuple[WeightedKey, ...] | UnsetType:
    """All keys of the provider; `api_key` is short for a list of one, or of none where it is null."""
    several = fields.values.get("api_keys")
    if several is not None and "api_key" in fields.values:
        several.document.problems.append(several.place.problem("stands beside api_key; keep one of the two"))
    one = fields.read("api_key", lambda field: _single_key(field.as_secret()), UNSET)
    return fields.read("api_keys", lambda field: _weighted_keys(field.as_secret()), one)


def _single_key(value: Value) -> tuple[WeightedKey, ...]:
    return () if value.is_null else (WeightedKey(_api_key(value)),)


def _weighted_keys(value: Value) -> tuple[WeightedKey, ...]:
    keys: dict[str, WeightedKey] = {}
    for item in value.items(KEYS):
        key = item.document.attempt(functools.partial(_weighted_key, item), None)
        if key is not None and key.key in keys:
            item.document.problems.append(item.place.problem("an earlier entry has this key already"))
        elif key is not None:
            keys[key.key] = key
    return tuple(keys.values())


def _weighted_key(value: Value) -> WeightedKey | None:
    fields = value.fields(("key", "weight"), {"key": KEY})
    weight = fields.read("weight", _weight, 100)
    key = fields.read("key", _api_key, "")
    return WeightedKey(key, weight) if key else None


def _weight(value: Value) -> int:
    return value.whole(f"a weight, a whole number from 1 to {MOST_WEIGHT}", least=1, most=MOST_WEIGHT)


def _api_key(value: Value) -> str:
    key = value.text(KEY)
    if not is_key(key):
        value.wrong(f"expected {KEY}")
    return key


def _timeouts(value: Value) -> Timeouts:
    fields = value.fields(("connect", "first_byte", "idle"))
    return Timeouts(
        connect=fields.read("connect", _seconds, None),
        first_byte=fields.read("first_byte", _seconds, None),
        idle=fields.read("idle", _seconds, None),
    )


def _seconds(value: Value) -> float | None:
    if value.is_null:
        return None
    seconds = value.number(SECONDS)
    if not is_timeout(seconds):
        value.wrong(f"expected {SECONDS}, not {value.shown()}")
    return float(seconds)


def _model_group(name: str, value: Value) -> ModelGroupEntry:
    if name in RESERVED:
        value.wrong("is always there, and no group of models")
    fields = value.fields(("display_name",))
    return ModelGroupEntry(value.place, fields.read("display_name", _display_name, UNSET))


def _model(name: str, value: Value) -> ModelEntry:
    known = ("display_name", "aliases", "group", "max_input_tokens", "max_output_tokens", "price", "routes")
    fields = value.fields(known, {"routes": ROUTES})
    return ModelEntry(
        place=value.place,
        display_name=fields.read("display_name", _display_name, UNSET),
        aliases=fields.read("aliases", lambda field: _aliases(field, name), UNSET),
        group=fields.read("group", _group, UNSET),
        max_input_tokens=fields.read("max_input_tokens", _tokens, UNSET),
        max_output_tokens=fields.read("max_output_tokens", _tokens, UNSET),
        price=fields.read("price", price_of, UNSET),
        routes=fields.read("routes", lambda field: _routes(field, name), ()),
    )


def _display_name(value: Value) -> str:
    expected = f"text of 1 to {LONGEST_TITLE} characters"
    text = value.text(expected).strip()
    if not is_title(text):
        value.wrong(f"expected {expected}")
    return text


def _group(value: Value) -> Name | None:
    return None if value.is_null else Name(value.place, value.text("the name of a model group, or null"))


def _aliases(value: Value, own_name: str) -> tuple[Name, ...]:
    names: dict[str, Name] = {}
    for item in value.items("a list of names"):
        name = item.document.attempt(functools.partial(_model_name, item), "")
        if name == own_name:
            item.document.problems.append(item.place.problem("is the model's own name; leave it out"))
        if name in names and name:
            line = names[name].place.line
            item.document.problems.append(
                item.place.problem(f"{name!r} stands here twice; first in line {line}")
            )
        names[name] = Name(item.place, name)
    return tuple(names.values())


def _model_name(value: Value) -> str:
    return _check_name(value, value.text("a model's name"), LONGEST_MODEL)


def _tokens(value: Value) -> int | None:
    return None if value.is_null else value.whole("a number of tokens, 1 or more", least=1, most=MOST_TOKENS)


def _routes(value: Value, own_name: str) -> tuple[RouteEntry, ...]:
    items = value.items(ROUTES)
    if not items:
        value.wrong("expected at least one route")
    routes: list[RouteEntry] = []
    for item in items:
        entry = item.document.attempt(functools.partial(_route, item, own_name), None)
        if entry is None:
            continue
        if any(
            (entry.to.provider, entry.to.model) == (other.to.provider, other.to.model) for other in routes
        ):
            item.document.problems.append(
                item.place.problem("an earlier route has this provider and model already")
            )
        routes.append(entry)
    return tuple(routes)


def _route(value: Value, own_name: str) -> RouteEntry:
    fields = value.fields(("provider", "model", "priority", "weight"), {"provider": "the name of a provider"})
    provider = fields.values.get("provider", value)
    return RouteEntry(
        place=provider.place,
        to=RouteTo(
            provider=fields.read("provider", lambda field: field.text("the name of a provider"), ""),
            model=fields.read("model", _model_name, own_name),
            priority=fields.read("priority", lambda field: _small(field, least=0), 1),
            weight=fields.read("weight", lambda field: _small(field, least=1), 100),
        ),
    )


def _small(value: Value, *, least: int) -> int:
    return value.whole(f"a whole number from {least} to {MOST_WEIGHT}", least=least, most=MOST_WEIGHT)


def _tier(name: str, value: Value) -> TierEntry:
    fields = value.fields((*LIMIT_NAMES, "group_limits", "reserve_worst_case"))
    return TierEntry(
        place=value.place,
        limits={kind: limit for kind, limit in _limits(fields).items() if limit is not None},
        group_limits=fields.read("group_limits", _group_limits, ()),
        reserve_worst_case=fields.read("reserve_worst_case", Value.truth, False),
    )


def _organization(name: str, value: Value) -> OrganizationEntry:
    fields = value.fields(("tier", "limits", "group_limits", "allow_models", "deny_models", "admins"))
    return OrganizationEntry(
        place=value.place,
        tier=fields.read("tier", lambda field: Name(field.place, field.text("the name of a tier")), UNSET),
        limits=fields.read("limits", lambda field: _limits(field.fields(LIMIT_NAMES)), UNSET),
        group_limits=fields.read("group_limits", _group_limits, UNSET),
        allow_models=fields.read("allow_models", _model_names, UNSET),
        deny_models=fields.read("deny_models", _model_names, UNSET),
        admins=fields.read("admins", _addresses, ()),
    )


def _model_names(value: Value) -> tuple[Name, ...]:
    items = value.items("a list of models' names")
    found = [item.document.attempt(functools.partial(_model_name, item), "") for item in items]
    return tuple(Name(item.place, name) for item, name in zip(items, found, strict=True) if name)


def _limits(fields: Fields) -> dict[str, int | None]:
    """Limits by name; null lifts one that is set further up."""
    names = [name for name in LIMIT_NAMES if name in fields.values]
    return {name: fields.read(name, _limit, None) for name in names}


def _group_limits(value: Value) -> tuple[PoolLimits, ...]:
    entries = value.entries("a mapping of limits by model group, default, batch and token_count")
    return tuple(_pool_limits(pool, entry) for pool, entry in entries.items())


def _pool_limits(pool: str, value: Value) -> PoolLimits:
    limits = value.document.attempt(lambda: _limits(value.fields(names_in(pool))), {})
    return PoolLimits(Name(value.place, pool), limits)


def _limit(value: Value) -> int | None:
    return (
        None
        if value.is_null
        else value.whole(f"a whole number from 1 to {LARGEST_LIMIT}", least=1, most=LARGEST_LIMIT)
    )


def _addresses(value: Value) -> tuple[str, ...]:
    items = value.items("a list of e-mail addresses")
    found = [item.document.attempt(functools.partial(_email, item), "") for item in items]
    return tuple(dict.fromkeys(found))


def _email(value: Value) -> str:
    text = value.text("an e-mail address").strip().lower()
    try:
        validate_email(text)
    except ValidationError:
        value.wrong(f"expected an e-mail address, not {value.shown()}")
    return text
