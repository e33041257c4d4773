from __future__ import annotations

import datetime
import textwrap
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from admin_api.catalog import Rates, RouteTo, Timeouts, WeightedKey
from admin_api.provider_addresses import provider_address
from gateway.declaration import reading
from gateway.declaration.document import DeclarationError
from gateway.declaration.shapes import Declaration
from gateway.limit_pools import names_in
from gateway.limiters import LIMIT_NAMES
from gateway.price import LongContext
from gateway.protocol.vendors import VENDORS, Vendor


def read(text: str, **environment: str) -> Declaration:
    return reading.read(textwrap.dedent(text), environment)


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(DeclarationError) as refused:
        read(text, **environment)
    return [str(problem) for problem in refused.value.problems]


def test_a_whole_file_is_read() -> None:
    declaration = read(
        """
        providers:
          anthropic:
            dialect: anthropic
            base_url: "https://api.anthropic.com/"
            api_key: "${KEY}"
            timeouts: {connect: 2.5, idle: 30}
            on_disconnect: drain
            batches: native
        model_groups:
          large: {display_name: Large models}
          small:
        models:
          claude-x:
            display_name: Claude X
            group: large
            aliases: [x, anthropic/claude-x]
            max_input_tokens: 200_000
            max_output_tokens: null
            price: {input: 3, output: 15, cache_read: 0.3}
            routes:
              - {provider: anthropic, model: claude-x-1, priority: 2, weight: 5}
              - provider: anthropic
        tiers:
          small:
            requests_per_minute: 5
            reserve_worst_case: true
            group_limits: {large: {tokens_per_day: 1_000}, token_count: {requests_per_minute: null}}
          open:
        organizations:
          Acme Inc.:
            tier: small
            limits: {concurrent_requests: 80, tokens_per_minute: null}
            group_limits: {batch: {requests_per_minute: 1}}
            allow_models: [claude-x, "gpt-*"]
            deny_models: []
            admins: [Ada@Example.com]
        """,
        KEY="sk-secret",
    )

    provider = declaration.providers["anthropic"]
    assert (provider.dialect, provider.base_url) == ("anthropic", "https://api.anthropic.com")
    assert (provider.api_keys, provider.on_disconnect) == ((WeightedKey("sk-secret", 100),), "drain")
    assert provider.batches == "native"
    assert "sk-secret" not in repr(declaration)
    assert provider.timeouts == Timeouts(connect=2.5, first_byte=None, idle=30)
    model = declaration.models["claude-x"]
    assert (model.display_name, model.max_input_tokens, model.max_output_tokens) == (
        "Claude X",
        200_000,
        None,
    )
    groups = declaration.model_groups
    assert (model.group.text, groups["large"].display_name) == ("large", "Large models")
    assert groups["small"].display_name is UNSET
    assert [alias.text for alias in model.aliases] == ["x", "anthropic/claude-x"]
    assert model.price == Rates(Decimal(3), Decimal(15), Decimal("0.3"), Decimal(3), Decimal(3))
    assert [route.to for route in model.routes] == [
        RouteTo("anthropic", "claude-x-1", 2, 5),
        RouteTo("anthropic", "claude-x", 1, 100),
    ]
    assert declaration.tiers["small"].limits == {"requests_per_minute": 5}
    assert [declaration.tiers[name].reserve_worst_case for name in ("small", "open")] == [True, False]
    acme = declaration.organizations["Acme Inc."]
    assert acme.tier.text == "small"
    assert [(one.pool.text, one.limits) for one in acme.group_limits] == [
        ("batch", {"requests_per_minute": 1})
    ]
    assert [(one.pool.text, one.limits) for one in declaration.tiers["small"].group_limits] == [
        ("large", {"tokens_per_day": 1000}),
        ("token_count", {"requests_per_minute": None}),
    ]
    assert acme.limits == {"tokens_per_minute": None, "concurrent_requests": 80}
    assert [name.text for name in acme.allow_models] == ["claude-x", "gpt-*"]
    assert acme.deny_models == ()
    assert acme.admins == ("ada@example.com",)


def test_what_is_not_named_is_unset() -> None:
    declaration = read(
        """
        providers: {p: {dialect: simulator}}
        models: {m: {routes: [{provider: p}]}}
        organizations: {Acme: {}}
        """
    )

    provider, model, acme = (
        declaration.providers["p"],
        declaration.models["m"],
        declaration.organizations["Acme"],
    )
    assert [provider.api_keys, provider.timeouts, provider.on_disconnect, provider.batches] == [UNSET] * 4
    assert [model.display_name, model.aliases, model.group, model.price, model.max_input_tokens] == [
        UNSET
    ] * 5
    assert [acme.tier, acme.limits, acme.group_limits, acme.allow_models, acme.deny_models] == [UNSET] * 5


def test_a_preset_stands_for_dialect_and_address() -> None:
    declaration = read(
        """
        providers:
          plain: {preset: openai}
          mine: {preset: openai, dialect: openai, base_url: "http://10.0.0.1/v1/"}
        """
    )

    told = [(one.preset, one.dialect, one.base_url) for one in declaration.providers.values()]
    assert told == [
        ("openai", "openai", "https://api.openai.com/v1"),
        ("openai", "openai", "http://10.0.0.1/v1"),
    ]


def test_a_preset_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"homeless": Vendor("homeless", "openai"), "openai": VENDORS["openai"]}
    monkeypatch.setattr(reading, "VENDORS", rows)

    assert problems(
        """\
        providers:
          a: {preset: opnai}
          b: {preset: openai, dialect: anthropic}
          c: {preset: homeless}
        """
    ) == [
        "2: providers.a.preset: expected one of homeless, openai, not 'opnai'",
        "3: providers.b.dialect: the preset openai speaks openai; leave dialect out",
        "4: providers.c.base_url: is missing; expected an http:// or https:// address",
    ]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_the_address_of_every_preset_is_one_that_could_be_written(vendor: Vendor) -> None:
    assert not vendor.base_url or provider_address(vendor.base_url, vendor.dialect) == vendor.base_url


def test_several_keys_have_weights() -> None:
    declaration = read(
        """
        providers:
          p: {preset: openai, api_keys: [{key: "${KEY}", weight: 3}, {key: sk-b}]}
          q: {preset: openai, api_keys: []}
          r: {preset: openai, api_key: null}
        """,
        KEY="sk-a",
    )

    assert [one.api_keys for one in declaration.providers.values()] == [
        (WeightedKey("sk-a", 3), WeightedKey("sk-b", 100)),
        (),
        (),
    ]


def test_keys_that_are_not_such_a_list_are_refused_without_being_shown() -> None:
    found = problems(
        """\
        providers:
          a: {preset: openai, api_key: sk-hush, api_keys: [{key: sk-hush}]}
          b: {preset: openai, api_keys: sk-hush}
          c:
            preset: openai
            api_keys:
              - sk-hush
              - {sk-hush: 100}
              - {key: sk-hush, key: sk-hush}
              - {key: 100, weight: sk-hush}
              - {key: "sk-hush ", weight: 0}
              - {key: sk-b}
              - {key: sk-b, weight: 2}
        """
    )

    key = "the provider's key: up to 4000 printable characters without spaces"
    weight = "expected a weight, a whole number from 1 to 1000000, not what stands here"
    assert found == [
        "2: providers.a.api_keys: stands beside api_key; keep one of the two",
        "3: providers.b.api_keys: expected a list of keys, each {key, weight}, not what stands here",
        "7: providers.c.api_keys[0]: expected a mapping with key, weight, not what stands here",
        "8: providers.c.api_keys[1]: unknown field; expected one of key, weight",
        f"8: providers.c.api_keys[1].key: is missing; expected {key}",
        "9: providers.c.api_keys[2]: stands here twice; first in line 9",
        f"10: providers.c.api_keys[3]: {weight}",
        f"10: providers.c.api_keys[3]: expected {key}, not an unquoted number or truth value",
        f"11: providers.c.api_keys[4]: {weight}",
        f"11: providers.c.api_keys[4]: expected {key}",
        "13: providers.c.api_keys[6]: an earlier entry has this key already",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "providers:\nmodels:\n", "{}"])
def test_an_empty_file_declares_nothing(text: str) -> None:
    assert read(text) == Declaration({}, {}, {}, {}, {})


def test_all_problems_are_told_at_once_with_line_path_and_what_is_expected() -> None:
    assert problems(
        """\
        providers:
          a: {dialect: antropic, base_url: ftp://example.com}
          b: {base_url: "https://b.example"}
          c: {dialect: anthropic}
        models:
          claude-x:
            diplay_name: X
            max_output_tokens: -1
            price: {input: three, cache_read: 0.1}
            routes: [{provider: 7, priority: first, weight: 0}]
          claude-y: {}
          claude-z: {routes: []}
        tires: {}
        organizations:
          Acme: {limits: {request_per_minute: 5}, admins: [ada]}
        """
    ) == [
        "2: providers.a.base_url: expected an http:// or https:// address",
        "2: providers.a.dialect: expected one of anthropic, openai, simulator, not 'antropic'",
        "3: providers.b.dialect: is missing; expected one of anthropic, openai, simulator",
        "4: providers.c.base_url: is missing; expected an http:// or https:// address",
        "7: models.claude-x.diplay_name: unknown field (did you mean display_name?); expected one of display_name, "
        "aliases, group, max_input_tokens, max_output_tokens, price, routes",
        "8: models.claude-x.max_output_tokens: expected a number of tokens, 1 or more, not '-1'",
        "9: models.claude-x.price.input: expected dollars per million tokens, a number from 0 with at most 10 decimal "
        "places, not 'three'",
        "9: models.claude-x.price.output: is missing; expected dollars per million tokens, a number from 0 with at "
        "most 10 decimal places",
        "10: models.claude-x.routes[0].priority: expected a whole number from 0 to 1000000, not 'first'",
        "10: models.claude-x.routes[0].provider: expected the name of a provider, not '7'",
        "10: models.claude-x.routes[0].weight: expected a whole number from 1 to 1000000, not '0'",
        "11: models.claude-y.routes: is missing; expected a list of routes, each {provider, model, priority, weight}",
        "12: models.claude-z.routes: expected at least one route",
        "13: tires: unknown field (did you mean tiers?); expected one of providers, model_groups, models, "
        "tiers, organizations",
        "15: organizations.Acme.admins[0]: expected an e-mail address, not 'ada'",
        "15: organizations.Acme.limits.request_per_minute: unknown field (did you mean requests_per_minute?); expected "
        "one of " + ", ".join(LIMIT_NAMES),
    ]


def test_what_is_wrong_with_groups_is_told_by_name() -> None:
    assert problems(
        """\
        model_groups:
          batch: {}
          big models: {}
          large: {display_name: 5, models: [m]}
        models:
          m: {group: [large], routes: [{provider: simulator}]}
        tiers:
          t: {group_limits: {large: 5, batch: {requests: 1}, default: {requests_per_minute: 0}}}
        organizations:
          Acme: {group_limits: [large]}
        """
    ) == [
        "2: model_groups.batch: is always there, and no group of models",
        "3: model_groups.big models: expected a name of 1 to 64 characters without spaces",
        "4: model_groups.large.display_name: expected text of 1 to 200 characters, not '5'",
        "4: model_groups.large.models: unknown field; expected one of display_name",
        "6: models.m.group: expected the name of a model group, or null, not a list",
        "8: tiers.t.group_limits.batch.requests: unknown field; expected one of " + ", ".join(LIMIT_NAMES),
        "8: tiers.t.group_limits.default.requests_per_minute: expected a whole number from 1 to 1000000000000, not '0'",
        "8: tiers.t.group_limits.large: expected a mapping with "
        + ", ".join(names_in("large"))
        + ", not '5'",
        "10: organizations.Acme.group_limits: expected a mapping of limits by model group, default, batch and "
        "token_count, not a list",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "1: not valid YAML: "),
        ("providers:\n\tx: 1", "2: not valid YAML: "),
        ("a: 1\n---\nb: 2", "2: not valid YAML: but found another document"),
        ("a: \x01", "1: not valid YAML: special characters are not allowed"),
        ("x: *there", "1: not valid YAML: found undefined alias 'there'"),
        (
            "- a",
            "1: expected a mapping with providers, model_groups, models, tiers, organizations, not a list",
        ),
        (
            "just text",
            "1: expected a mapping with providers, model_groups, models, tiers, organizations, not 'just text'",
        ),
        ("[" * 5000, "1: not valid YAML: nested too deeply"),
        (
            "models: {a: {routes: [{provider: p}]}}\nmodels: {}",
            "2: models: stands here twice; first in line 1",
        ),
        (
            "tiers: !!python/object:os.system {}",
            "1: tiers: the tag tag:yaml.org,2002:python/object:os.system is not ",
        ),
        (
            "tiers: {t: {requests_per_minute: !mine 3}}",
            "1: tiers.t.requests_per_minute: the tag !mine is not allowed; ",
        ),
        ("tiers: {[a]: {}}", "1: tiers: expected a name before the colon"),
        ("tiers: {'': {}}", "1: tiers: expected a name before the colon"),
        ("tiers: {a b: {}}", "1: tiers.a b: expected a name of 1 to 64 characters without spaces"),
        ("tiers: &t {a: *t}", "1: tiers.a.a: unknown field; expected one of requests_per_minute, "),
    ],
)
def test_what_is_not_such_a_file_is_told_in_one_line(text: str, expected: str) -> None:
    (problem,) = problems(text)

    assert problem.startswith(expected)


@pytest.mark.parametrize(
    "value", ["0", "-5", "1.5", "'50'", "true", "null_", "[1]", "{}", "0x10", "010", "1:30", "9" * 5000]
)
def test_a_limit_is_a_whole_number(value: str) -> None:
    (problem,) = problems(f"tiers: {{t: {{requests_per_minute: {value}}}}}")

    assert problem.startswith(
        "1: tiers.t.requests_per_minute: expected a whole number from 1 to 1000000000000, not "
    )


@pytest.mark.parametrize(
    "written", ["2027-01-01T00:00:00Z", "2027-01-01", '"2027-01-01 01:00+01:00"', "2027-01-01T00:00:00"]
)
def test_a_whole_price_is_read(written: str) -> None:
    declaration = reading.read(
        f"""
models:
  m:
    price:
      input: 3
      output: 15
      batch_factor: 0.25
      web_search: 10
      long_context: {{threshold: 200_000, input: 6, output: 22.5, cache_read: 0.6}}
      effective_at: {written}
    routes: [{{provider: p}}]
""",
        {},
    )

    three, six = Decimal(3), Decimal(6)
    assert declaration.models["m"].price == Rates(
        *(three, Decimal(15), three, three, three),
        batch_factor=Decimal("0.25"),
        web_search=Decimal(10),
        long_context=LongContext(200_000, six, Decimal("22.5"), Decimal("0.6"), six, six),
        effective_at=datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC),
    )


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("batch_factor: 1.5", "batch_factor: expected a number from 0 to 1 with at most ten decimal places"),
        ("web_search: ten", "web_search: expected dollars per thousand searches, a number from 0"),
        ("web_search: 1e-11", "web_search: expected dollars per thousand searches, a number from 0"),
        (
            "long_context: {input: 1, output: 1}",
            "long_context.threshold: is missing; expected a number of tokens",
        ),
        (
            "long_context: {threshold: 0, input: 1, output: 1}",
            "long_context.threshold: expected a number of tokens",
        ),
        (
            "long_context: {threshold: 9, output: 1}",
            "long_context.input: is missing; expected dollars per million",
        ),
        (
            "long_context: {threshold: 9, input: 1, output: 1, web_search: 1}",
            "long_context.web_search: unknown",
        ),
        ("effective_at: tomorrow", "effective_at: expected a time such as 2027-01-01T00:00:00Z"),
        ("effective_at: 5", "effective_at: expected a time such as 2027-01-01T00:00:00Z"),
        ("effective_at: 1999-12-31", "effective_at: expected a time such as 2027-01-01T00:00:00Z"),
        ("effective_at: [1]", "effective_at: expected a time such as 2027-01-01T00:00:00Z"),
    ],
)
def test_what_no_price_can_be_is_told_by_its_place(price: str, said: str) -> None:
    (problem,) = problems(
        f"models: {{m: {{price: {{input: 1, output: 1, {price}}}, routes: [{{provider: p}}]}}}}"
    )

    assert str(problem).startswith(f"1: models.m.price.{said}")


@pytest.mark.parametrize(
    "value", ["-1", "NaN", ".inf", "1e11", "0.00000000001", "'3'", "three", "~", "1;5", "1e-999", "1_0"]
)
def test_a_price_is_an_exact_number(value: str) -> None:
    (problem,) = problems(
        f"models: {{m: {{price: {{input: 1, output: {value}}}, routes: [{{provider: p}}]}}}}"
    )

    assert problem.startswith(
        "1: models.m.price.output: expected dollars per million tokens, a number from 0 with "
    )


@given(st.decimals(min_value=0, max_value=Decimal("9999999999.9999999999"), places=10))
def test_every_price_is_read_exactly(rate: Decimal) -> None:
    for text in (f"{rate:f}", f"{rate:e}"):
        declaration = read(
            f"models: {{m: {{price: {{input: {text}, output: 0}}, routes: [{{provider: p}}]}}}}"
        )
        assert declaration.models["m"].price.input == rate


def test_variables_are_replaced_in_text_and_numbers() -> None:
    declaration = read(
        """
        providers: {p: {dialect: anthropic, base_url: "${SCHEME}://${HOST}", api_key: "$${x}${KEY}"}}
        tiers:
          t:
            requests_per_minute: "${RPM}"
            tokens_per_minute: ${RPM}
        """,
        SCHEME="http",
        HOST="10.0.0.1:8080",
        KEY="k",
        RPM="7",
    )

    provider = declaration.providers["p"]
    assert (provider.base_url, provider.api_keys) == ("http://10.0.0.1:8080", (WeightedKey("${x}k"),))
    assert declaration.tiers["t"].limits == {"requests_per_minute": 7, "tokens_per_minute": 7}


def test_an_unset_or_misspelt_variable_is_named_with_its_line() -> None:
    text = """\
        providers:
          p:
            dialect: anthropic
            base_url: "${ADDRESS}"
            api_key: "${EMPTY}"
          q: {dialect: simulator, api_key: "${not a name}"}
        """

    assert problems(text, EMPTY="") == [
        "4: providers.p.base_url: the environment variable ADDRESS is not set",
        "5: providers.p.api_key: the environment variable EMPTY is not set",
        "6: providers.q.api_key: expected ${NAME} with letters, digits and underscores; write $${ for a plain ${",
    ]


def test_no_problem_shows_a_secret() -> None:
    secret = "sk-very-secret"
    text = """\
        providers:
          a: {dialect: "${S}", base_url: "${S}", api_key: "${S} ", on_disconnect: "${S}"}
          b: {dialect: openai, base_url: "https://me:sk-very-secret@example.com/v1", api_key: [sk-very-secret]}
          c: {dialect: openai, base_url: "https://example.com/v1", api_key: {sk-very-secret: 1}}
        tiers: {t: {requests_per_minute: "${S}"}}
        organizations: {A: {admins: ["${S}"]}}
        """

    found = problems(text, S=secret)

    assert len(found) == 9
    assert secret not in "\n".join(found)


def test_only_a_provider_of_the_anthropic_dialect_takes_batches() -> None:
    assert problems(
        """\
        providers:
          a: {dialect: openai, base_url: "https://example.com/v1", batches: native}
          b: {dialect: openai, base_url: "https://example.com/v1", batches: emulated}
          c: {preset: anthropic, batches: both}
        """
    ) == [
        "2: providers.a.batches: only a provider of the anthropic dialect can take batches itself",
        "4: providers.c.batches: expected one of emulated, native, not 'both'",
    ]


def test_repeated_names_are_refused() -> None:
    assert problems(
        """\
        models:
          m:
            aliases: [a, b, a, m]
            routes: [{provider: p}, {provider: p, model: m}, {provider: p, model: n}]
        tiers:
          t: {}
          t: {}
        """
    ) == [
        "3: models.m.aliases[2]: 'a' stands here twice; first in line 3",
        "3: models.m.aliases[3]: is the model's own name; leave it out",
        "4: models.m.routes[1]: an earlier route has this provider and model already",
        "7: tiers.t: stands here twice; first in line 6",
    ]


def test_how_many_requests_of_batches_may_wait_is_no_limit_of_a_group_of_models() -> None:
    told = problems(
        """
        model_groups: {large: }
        tiers:
          t:
            enqueued_batch_requests: 7
            group_limits: {large: {enqueued_batch_requests: 7}, batch: {enqueued_batch_requests: 9}}
        """
    )

    known = ", ".join(names_in("large"))
    assert told == [
        f"6: tiers.t.group_limits.large.enqueued_batch_requests: unknown field; expected one of {known}"
    ]
