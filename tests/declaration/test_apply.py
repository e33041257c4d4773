from __future__ import annotations

import dataclasses
import textwrap
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis import Redis

from admin_api.actions import invites
from admin_api.actor import SYSTEM
from gateway.configuration import PROJECT_DIR
from gateway.declaration import reading
from gateway.declaration.apply import apply
from gateway.declaration.document import DeclarationError
from gateway.directory.change import CHANNEL
from gateway.encryption import Vault
from gateway.limiters import LIMIT_NAMES
from gateway.models import (
    AuditEntry,
    Invite,
    Membership,
    Model,
    ModelAlias,
    ModelGroup,
    Organization,
    Price,
    Provider,
    ProviderKey,
    Route,
    Tier,
)
from tests.people import Cast

CATALOG = """
providers:
  p: {dialect: anthropic, base_url: "http://10.0.0.1:9000", api_key: sk-upstream-0123456789}
  q: {dialect: openai, base_url: "http://localhost:9001/v1"}
models:
  m: {aliases: [a, b], price: {input: 3, output: 15}, routes: [{provider: p, model: m-1}]}
  n: {routes: [{provider: q}]}
"""


def run(text: str, *, prune: bool = False, **environment: str) -> list[str]:
    return apply(reading.read(textwrap.dedent(text), environment), actor=SYSTEM, prune=prune)


def refused(text: str, *, prune: bool = False) -> list[str]:
    """The problems, once it is certain that nothing was changed."""
    before = everything()
    with pytest.raises(DeclarationError) as error:
        run(text, prune=prune)
    assert everything() == before
    return [str(problem) for problem in error.value.problems]


def everything() -> list[list[dict[str, object]]]:
    tables = (Provider, ProviderKey, ModelGroup, Model, ModelAlias, Route, Price, Tier, Organization, Invite)
    return [list(table.objects.order_by("pk").values()) for table in (*tables, Membership, AuditEntry)]


def test_a_new_catalog_is_told_line_by_line_and_not_changed_again(db: None) -> None:
    assert run(CATALOG) == ["+ provider p", "+ provider q", "+ model m", "+ model n"]
    before = everything()

    assert run(CATALOG) == []
    assert run(CATALOG, prune=True) == []
    assert everything() == before


def test_what_is_declared_is_stored(db: None) -> None:
    run(CATALOG)

    provider, model = Provider.objects.get(name="p"), Model.objects.get(name="m")
    vault = Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])
    assert (provider.preset, provider.dialect, provider.base_url) == ("", "anthropic", "http://10.0.0.1:9000")
    key = provider.keys.get()
    assert vault.decrypt(key.encrypted_api_key) == "sk-upstream-0123456789"
    assert (key.api_key_hint, key.weight, key.position) == ("6789", 100, 0)
    assert (model.display_name, model.origin) == ("m", "configured")
    assert sorted(alias.alias for alias in model.aliases.all()) == ["a", "b"]
    assert list(model.routes.values_list("provider__name", "upstream_model", "priority", "weight")) == [
        ("p", "m-1", 1, 100)
    ]
    rates = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    assert [getattr(model.price, rate) for rate in rates] == [3, 15, 3, 3, 3]
    assert Model.objects.get(name="n").price is None


def test_the_example_of_the_project_applies(db: None) -> None:
    example = (PROJECT_DIR / "examples" / "gateway.yaml").read_text()

    lines = run(example, UPSTREAM_ANTHROPIC_API_KEY="sk-x")

    assert lines[:-1] == [
        "+ provider anthropic",
        "+ model group sonnet",
        "+ model claude-sonnet-4-5",
        "+ organization Acme (tier pro)",
    ]
    assert lines[-1].startswith("+ invite ada@example.com to Acme as admin: http://127.0.0.1:8000/invites/")
    assert Organization.objects.get(name="Acme").effective_limits() == {
        "requests_per_minute": 200,
        "tokens_per_minute": 400_000,
        "concurrent_requests": 80,
    }
    assert Organization.objects.get(name="Acme").allowed_models == ["claude-*"]
    assert run(example, UPSTREAM_ANTHROPIC_API_KEY="sk-x") == []


def test_the_limits_page_means_what_it_says(db: None) -> None:
    page = (PROJECT_DIR / "docs" / "limits.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    run("providers: {anthropic: {preset: anthropic, api_key: sk-x}}")

    run(example)

    acme = Organization.objects.get(name="Acme")
    in_every_pool = {"requests_per_minute": 500, "tokens_per_minute": 400_000}
    assert acme.effective_limits() == acme.effective_limits("another group") == in_every_pool
    assert acme.effective_limits("opus") == in_every_pool | {"requests_per_minute": 20}
    assert acme.effective_limits("token_count") == {"requests_per_minute": 1000}
    assert acme.effective_limits("batch") == {"concurrent_requests": 4, "enqueued_batch_requests": 100_000}
    assert {name for name in LIMIT_NAMES if f"\n| `{name}` |" in page} == set(LIMIT_NAMES)


def test_what_a_file_does_not_name_stays(db: None) -> None:
    run(CATALOG)

    lines = run(
        """
        providers:
          p: {dialect: anthropic, base_url: "http://10.0.0.2"}
        models:
          m: {routes: [{provider: p, model: m-1}]}
        """
    )

    assert lines == ["~ provider p: base_url http://10.0.0.1:9000 -> http://10.0.0.2"]
    assert Provider.objects.get(name="p").keys.count() == 1
    assert Model.objects.get(name="m").aliases.count() == 2
    assert Model.objects.get(name="m").price is not None


def test_every_changed_field_is_one_line(db: None) -> None:
    run(CATALOG)

    assert run(
        """
        providers:
          p:
            dialect: openai
            base_url: http://10.0.0.1:9000/v1
            api_key: sk-another-key-of-some-length
            timeouts: {connect: 1.5}
            on_disconnect: drain
        models:
          m:
            display_name: The M
            aliases: [b, c]
            max_input_tokens: 100
            price: {input: 4, output: 15, cache_read: 0.30}
            routes: [{provider: q, model: m-2, priority: 2, weight: 1}, {provider: p, model: m-1}]
        tiers:
          basic: {requests_per_minute: 60, concurrent_requests: 10, input_tokens_per_minute: 5}
        """
    ) == [
        "~ provider p: dialect anthropic -> openai",
        "~ provider p: base_url http://10.0.0.1:9000 -> http://10.0.0.1:9000/v1",
        "~ provider p: connect_timeout none -> 1.5",
        "~ provider p: on_disconnect abort -> drain",
        "~ provider p: api_keys changed",
        "~ model m: display_name m -> The M",
        "~ model m: max_input_tokens none -> 100",
        "~ model m: aliases [a, b] -> [b, c]",
        "~ model m: price.input 3 -> 4",
        "~ model m: price.cache_read 3 -> 0.3",
        "~ model m: price.cache_write_5m 3 -> 4",
        "~ model m: price.cache_write_1h 3 -> 4",
        "~ model m: routes [p/m-1 (priority 1, weight 100)] -> "
        "[p/m-1 (priority 1, weight 100), q/m-2 (priority 2, weight 1)]",
        "~ tier basic: requests_per_minute 50 -> 60",
        "~ tier basic: tokens_per_minute 100000 -> no limit",
        "~ tier basic: input_tokens_per_minute no limit -> 5",
    ]


def test_a_provider_that_changes_its_dialect_takes_no_batches_any_more(db: None) -> None:
    run(CATALOG.replace("api_key:", "batches: native, api_key:"))

    assert run('providers: {p: {dialect: openai, base_url: "http://10.0.0.1:9000/v1"}}') == [
        "~ provider p: dialect anthropic -> openai",
        "~ provider p: base_url http://10.0.0.1:9000 -> http://10.0.0.1:9000/v1",
        "~ provider p: batches native -> emulated",
    ]


def test_a_changed_price_is_a_further_row(db: None) -> None:
    run(CATALOG)
    first = Price.objects.filter(model_name="m").values().get()

    run(CATALOG.replace("input: 3", "input: 0.1"))
    run(CATALOG.replace("input: 3", "input: 0.10"))

    assert Price.objects.filter(model_name="m").order_by("id").values().first() == first
    assert Price.objects.filter(model_name="m").count() == 2
    assert Model.objects.get(name="m").price.input == Decimal("0.1")


def test_a_key_is_compared_by_what_it_says_and_can_be_taken_away(db: None) -> None:
    run(CATALOG)
    stored = ProviderKey.objects.values().get()

    assert run(CATALOG) == []
    assert ProviderKey.objects.values().get() == stored
    assert run(CATALOG.replace("sk-upstream-0123456789", "~")) == ["~ provider p: api_keys changed"]
    assert not ProviderKey.objects.exists()


def test_a_key_that_no_encryption_key_opens_is_replaced(db: None) -> None:
    run(CATALOG)
    ProviderKey.objects.update(encrypted_api_key=b"made under a lost key")

    assert run(CATALOG) == ["~ provider p: api_keys changed"]
    assert run(CATALOG) == []


def test_a_short_key_has_no_hint(db: None) -> None:
    run('providers: {p: {dialect: anthropic, base_url: "http://x", api_key: abcdef}}')

    assert ProviderKey.objects.get().api_key_hint == ""


SEVERAL = """
providers:
  p:
    preset: openai
    api_keys:
      - {key: sk-first-0123456789, weight: 200}
      - {key: sk-second-0123456789}
"""


def test_several_keys_are_stored_in_their_order_with_their_weights(db: None) -> None:
    assert run(SEVERAL) == ["+ provider p"]

    assert run(SEVERAL) == []
    assert list(ProviderKey.objects.values_list("api_key_hint", "weight", "position")) == [
        ("6789", 200, 0),
        ("6789", 100, 1),
    ]


def test_a_key_keeps_its_id_for_as_long_as_it_says_the_same(db: None) -> None:
    run(SEVERAL)
    first, second = ProviderKey.objects.values_list("id", flat=True)

    assert run(SEVERAL.replace("weight: 200", "weight: 300")) == [
        "~ provider p: api_keys.weight [200, 100] -> [300, 100]"
    ]
    assert run(
        "providers: {p: {preset: openai, api_keys: [{key: sk-second-0123456789}, {key: sk-new}]}}"
    ) == ["~ provider p: api_keys changed"]

    (kept, hundred), (new, other) = ProviderKey.objects.values_list("id", "weight")
    assert (kept, hundred, other) == (second, 100, 100)
    assert new not in (first, second)
    assert run("providers: {p: {preset: openai, api_keys: []}}") == ["~ provider p: api_keys changed"]


def test_a_preset_brings_dialect_and_address_and_can_be_left_again(db: None) -> None:
    run("providers: {p: {preset: anthropic}}")

    provider = Provider.objects.get(name="p")
    assert (provider.preset, provider.dialect, provider.base_url) == (
        "anthropic",
        "anthropic",
        "https://api.anthropic.com",
    )
    assert run("providers: {p: {dialect: openai, base_url: 'http://10.0.0.1/v1'}}") == [
        "~ provider p: preset anthropic -> none",
        "~ provider p: dialect anthropic -> openai",
        "~ provider p: base_url https://api.anthropic.com -> http://10.0.0.1/v1",
    ]
    assert run("providers: {p: {preset: openai, base_url: 'http://10.0.0.1/v1'}}") == [
        "~ provider p: preset none -> openai"
    ]


def test_names_that_do_not_exist_are_refused(db: None) -> None:
    assert refused(
        """\
        providers:
          simulator: {dialect: anthropic, base_url: "http://x"}
        models:
          m:
            routes:
              - {provider: simulator, model: claude-opus-4-5}
              - {provider: nobody}
        organizations:
          Acme: {tier: golden}
        """
    ) == [
        "2: providers.simulator: is the built-in simulator; choose another name for a provider of your own",
        "7: models.m.routes[1].provider: there is no provider 'nobody'; expected one of simulator",
        "9: organizations.Acme.tier: there is no tier 'golden'; expected one of basic, enterprise, pro",
    ]


def test_two_models_claiming_one_name_in_a_file_are_refused(db: None) -> None:
    assert refused(
        """\
        models:
          m: {aliases: [a, n], routes: [{provider: simulator}]}
          n: {aliases: [a], routes: [{provider: simulator}]}
        """
    ) == [
        "3: models.n: the name 'n' is taken by model 'm' (line 2)",
        "3: models.n.aliases[0]: the name 'a' is taken by model 'm' (line 2)",
    ]


def test_a_name_taken_by_an_installed_model_is_refused(db: None) -> None:
    run(CATALOG)

    assert refused(
        """\
        models:
          a: {routes: [{provider: p}]}
          x: {aliases: [n, b], routes: [{provider: p}]}
        """
    ) == [
        "2: models.a: the name 'a' is taken by model 'm' (already installed)",
        "3: models.x.aliases[0]: the name 'n' is taken by model 'n' (already installed)",
        "3: models.x.aliases[1]: the name 'b' is taken by model 'm' (already installed)",
    ]


def test_aliases_that_a_file_leaves_alone_still_hold_their_names(db: None) -> None:
    run(CATALOG)

    assert refused("models: {m: {routes: [{provider: p}]}, x: {aliases: [a], routes: [{provider: p}]}}") == [
        "1: models.x.aliases[0]: the name 'a' is taken by model 'm' (line 1)"
    ]


def test_aliases_can_be_swapped_and_become_names(db: None) -> None:
    run(
        """
        models:
          m: {aliases: [a, b], routes: [{provider: simulator}]}
          n: {aliases: [c], routes: [{provider: simulator}]}
        """
    )
    swapped = """
        models:
          m: {aliases: [c, b], routes: [{provider: simulator}]}
          n: {aliases: [d], routes: [{provider: simulator}]}
          a: {routes: [{provider: simulator}]}
        """

    assert run(swapped) == [
        "~ model m: aliases [a] given up",
        "~ model n: aliases [c] given up",
        "~ model m: aliases [b] -> [b, c]",
        "~ model n: aliases [] -> [d]",
        "+ model a",
    ]
    assert run(swapped) == []


def test_a_configured_model_may_have_the_name_of_a_simulated_one(db: None) -> None:
    first, second, *_ = Model.objects.filter(origin="simulator").values_list("name", flat=True)

    lines = run(f"models: {{{first}: {{aliases: [{second}], routes: [{{provider: simulator}}]}}}}")

    assert lines == [f"+ model {first}"]
    assert Model.objects.filter(name=first).count() == 2


def test_the_simulator_can_be_declared_and_is_no_change(db: None) -> None:
    assert run("providers: {simulator: {dialect: simulator}}") == []
    assert run("providers: {mine: {dialect: simulator}}") == ["+ provider mine"]


def test_prune_removes_what_is_not_named_and_keeps_what_must_stay(people: Cast) -> None:
    run(CATALOG)
    run("tiers: {unused: {}, used: {}}\norganizations: {Umbrella: {tier: used}}")

    assert run(
        """
        providers: {q: {dialect: openai, base_url: "http://localhost:9001/v1"}}
        models: {x: {aliases: [a, m], routes: [{provider: q}, {provider: simulator}]}}
        """,
        prune=True,
    ) == ["- model m", "- model n", "+ model x", "- provider p", "- tier unused"]
    assert set(Provider.objects.values_list("name", flat=True)) == {"q", "simulator"}
    assert set(Tier.objects.values_list("name", flat=True)) == {"basic", "pro", "enterprise", "used"}
    assert Model.objects.filter(origin="simulator").count() == 9
    assert set(Organization.objects.values_list("name", flat=True)) == {"Acme", "Umbrella"}
    assert Price.objects.get(model_name="m").model is None


def test_prune_never_takes_a_provider_that_a_declared_route_needs(db: None) -> None:
    run(CATALOG)

    assert refused("models:\n  m: {routes: [{provider: p}]}", prune=True) == [
        "2: models.m.routes[0].provider: --prune would remove provider 'p', which this file does not name"
    ]


def test_organizations_change_tier_and_limits(people: Cast) -> None:
    assert run(
        "organizations: {Acme: {tier: enterprise, limits: {concurrent_requests: 80, tokens_per_minute: null}}}"
    ) == [
        "~ organization Acme: tier pro -> enterprise",
        "~ organization Acme: limits.tokens_per_minute the tier's -> no limit",
        "~ organization Acme: limits.concurrent_requests the tier's -> 80",
    ]
    assert run("organizations: {Acme: {limits: {concurrent_requests: 90}}}") == [
        "~ organization Acme: limits.tokens_per_minute no limit -> the tier's",
        "~ organization Acme: limits.concurrent_requests 80 -> 90",
    ]
    assert run("organizations: {Acme: {}}") == []


GROUPS = """
model_groups: {large: {display_name: Large models}, small: {}}
models: {x: {group: large, routes: [{provider: simulator}]}, y: {group: small, routes: [{provider: simulator}]}}
tiers: {mine: {requests_per_minute: 9, group_limits: {large: {requests_per_minute: 3, tokens_per_day: null}}}}
organizations: {Acme: {tier: mine, group_limits: {large: {requests_per_minute: 4}, batch: {tokens_per_day: 5}}}}
"""


def test_groups_are_made_filled_and_limited_once(people: Cast) -> None:
    lines = run(GROUPS)

    assert lines[:5] == [
        "+ model group large",
        "+ model group small",
        "+ model x",
        "+ model y",
        "+ tier mine",
    ]
    assert lines[5:] == [
        "~ organization Acme: tier pro -> mine",
        "~ organization Acme: group_limits.batch.tokens_per_day the tier's -> 5",
        "~ organization Acme: group_limits.large.requests_per_minute the tier's -> 4",
    ]
    assert run(GROUPS) == []
    acme = Organization.objects.get(name="Acme")
    assert Model.objects.get(name="x").group.display_name == "Large models"
    assert acme.tier.group_limits == {"large": {"requests_per_minute": 3, "tokens_per_day": None}}
    assert acme.effective_limits("large") == {"requests_per_minute": 4}
    usual = {"concurrent_requests": 50, "enqueued_batch_requests": 100_000}
    assert acme.effective_limits("batch") == usual | {"tokens_per_day": 5}


def test_groups_change_field_by_field_and_models_leave_them(people: Cast) -> None:
    run(GROUPS)

    assert run(
        """
        model_groups: {large: {display_name: Large}, small: {}}
        models: {x: {group: null, routes: [{provider: simulator}]}, y: {group: large, routes: [{provider: simulator}]}}
        tiers: {mine: {requests_per_minute: 9, group_limits: {large: {requests_per_minute: null}}}}
        organizations: {Acme: {group_limits: {}}}
        """
    ) == [
        "~ model group large: display_name Large models -> Large",
        "~ model x: group large -> none",
        "~ model y: group small -> large",
        "~ tier mine: group_limits.large.requests_per_minute 3 -> no limit",
        "~ tier mine: group_limits.large.tokens_per_day no limit -> as in limits",
        "~ organization Acme: group_limits.batch.tokens_per_day 5 -> the tier's",
        "~ organization Acme: group_limits.large.requests_per_minute 4 -> the tier's",
    ]
    run("models: {y: {routes: [{provider: simulator}]}}")
    assert Model.objects.get(name="y").group.name == "large"


def test_groups_that_do_not_exist_are_refused(db: None) -> None:
    run("model_groups: {large: {}}")

    assert refused(
        """\
        models: {x: {group: lage, routes: [{provider: simulator}]}}
        tiers:
          mine: {group_limits: {large: {}, huge: {requests_per_minute: 3}}}
        organizations:
          Acme: {group_limits: {batches: {}}}
        """
    ) == [
        "1: models.x.group: there is no model group 'lage'; expected one of large",
        "3: tiers.mine.group_limits.huge: there is no model group 'huge'; expected one of batch, default, large, "
        "token_count",
        "5: organizations.Acme.group_limits.batches: there is no model group 'batches'; expected one of batch, "
        "default, large, token_count",
    ]


def test_prune_removes_groups_that_nothing_refers_to(people: Cast) -> None:
    run(GROUPS)
    run("model_groups: {unused: {}}")

    assert run("models: {x: {routes: [{provider: simulator}]}}", prune=True) == [
        "- model y",
        "- model group small",
        "- model group unused",
    ]
    assert run("tiers: {mine: {}}\norganizations: {Acme: {group_limits: {}}}", prune=True)[0] == "- model x"
    assert not ModelGroup.objects.exists()


def test_organizations_are_given_rules_about_models_and_lose_them_again(people: Cast) -> None:
    run(CATALOG)
    text = "organizations: {Acme: {allow_models: [n, a, n, 'claude-*'], deny_models: [claude-opus-5-5]}}"

    assert run(text) == [
        "~ organization Acme: allow_models [] -> [a, claude-*, n]",
        "~ organization Acme: deny_models [] -> [claude-opus-5-5]",
    ]
    assert run(text) == []
    assert run("organizations: {Acme: {tier: pro}}") == []
    assert run("organizations: {Acme: {allow_models: []}}") == [
        "~ organization Acme: allow_models [a, claude-*, n] -> []"
    ]
    acme = Organization.objects.get(name="Acme")
    assert (acme.allowed_models, acme.denied_models) == ([], ["claude-opus-5-5"])


def test_a_new_organization_has_its_rules_from_the_start(db: None) -> None:
    assert run("organizations: {New: {deny_models: ['*-opus-*']}}") == ["+ organization New (tier basic)"]

    assert Organization.objects.get(name="New").denied_models == ["*-opus-*"]


def test_rules_that_mean_no_model_are_refused(db: None) -> None:
    run(CATALOG)

    assert refused(
        """\
        models:
          m: {aliases: [b], routes: [{provider: p, model: m-1}]}
        organizations:
          Acme:
            allow_models: [m, b, n, claude-sonnet-4-5]
            deny_models:
              - a
              - p/m
              - gpt-*
              - claude-sonet-4-5
              - N
        """
    ) == [
        "7: organizations.Acme.deny_models[0]: no model has the name or alias 'a'",
        "8: organizations.Acme.deny_models[1]: no model has the name or alias 'p/m'",
        "9: organizations.Acme.deny_models[2]: no model has the name or alias 'gpt-*'",
        "10: organizations.Acme.deny_models[3]: no model has the name or alias 'claude-sonet-4-5' "
        "(did you mean claude-sonnet-4-5?)",
        "11: organizations.Acme.deny_models[4]: no model has the name or alias 'N'",
    ]
    assert refused("organizations: {Acme: {deny_models: [n]}}", prune=True) == [
        "1: organizations.Acme.deny_models[0]: no model has the name or alias 'n'"
    ]


def test_a_new_organization_without_a_tier_is_on_basic_and_has_its_default_workspace(db: None) -> None:
    assert run("organizations: {New: }") == ["+ organization New (tier basic)"]

    assert [workspace.is_default for workspace in Organization.objects.get(name="New").workspaces.all()] == [
        True
    ]


def test_admins_are_invited_once(people: Cast) -> None:
    invites.create(actor=SYSTEM, organization=people.acme, email="pending@example.com", role="admin")
    text = "organizations: {Acme: {admins: [NEW@example.com, ada@example.com, Pending@example.com]}}"

    (line,) = run(text)

    prefix = "+ invite new@example.com to Acme as admin: "
    assert line.startswith(prefix)
    assert invites.find(line.removeprefix(prefix).rpartition("/")[2]).role == "admin"
    assert run(text) == []


def test_who_is_less_than_an_admin_becomes_one(people: Cast) -> None:
    _, before = invites.create(actor=SYSTEM, organization=people.acme, email="p@example.com", role="user")
    text = "organizations: {Acme: {admins: [dev@example.com, p@example.com]}}"

    promoted, invited = run(text)

    assert promoted == "~ organization Acme: dev@example.com developer -> admin"
    assert people.dev.memberships.get().role == "admin"
    assert invites.find(before) is None
    assert invites.find(invited.rpartition("/")[2]).role == "admin"
    assert run(text) == []


def test_each_change_has_an_audit_line_without_secrets(db: None) -> None:
    before = AuditEntry.objects.count()
    run(CATALOG)
    run(CATALOG.replace("sk-upstream-0123456789", "sk-secret-9876543210").replace("input: 3", "input: 4"))
    run("", prune=True)

    entries = AuditEntry.objects.order_by("id")[before:]
    assert [(entry.action, entry.target_id) for entry in entries] == [
        ("provider.created", "p"),
        ("provider.created", "q"),
        ("model.created", "m"),
        ("model.created", "n"),
        ("provider.changed", "p"),
        ("model.changed", "m"),
        ("model.removed", "m"),
        ("model.removed", "n"),
        ("provider.removed", "p"),
        ("provider.removed", "q"),
    ]
    assert {(entry.actor_type, entry.organization_id) for entry in entries} == {("system", None)}
    everything_said = str([entry.details for entry in entries])
    assert "0123456789" not in everything_said
    assert "9876543210" not in everything_said


def test_a_failure_half_way_leaves_nothing(db: None) -> None:
    """A name that only the database finds too long, after much else has been written."""
    declaration = reading.read(CATALOG, {})
    broken = dataclasses.replace(declaration.models["n"], display_name="n" * 201)
    before = everything()

    with pytest.raises(Exception, match="value too long"):
        apply(dataclasses.replace(declaration, models={**declaration.models, "n": broken}), actor=SYSTEM)

    assert everything() == before


def test_running_processes_are_told(committed_people: Cast, valkey: Redis, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(CATALOG + "tiers: {pro: {requests_per_minute: 7}}\n")
    with valkey.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(CHANNEL)
        heard.get_message(timeout=5)

        call_command("apply", str(file))

        messages = set()
        while (message := heard.get_message(timeout=1)) is not None:
            messages.add(message["data"])
    assert messages == {
        b'{"kind":"catalog"}',
        *(f'{{"kind":"organization","subject":"{one.id}"}}'.encode() for one in Organization.objects.all()),
    }


NAMES = st.sampled_from(["m", "n", "o", "a", "b"])
RATES = st.decimals(min_value=0, max_value=100, places=3)
MODEL = st.fixed_dictionaries(
    {"routes": st.lists(st.sampled_from(["p", "simulator"]), min_size=1, max_size=2, unique=True)},
    optional={
        "aliases": st.lists(st.sampled_from(["a1", "b1", "c1"]), max_size=2, unique=True),
        "price": st.tuples(RATES, RATES),
        "max_input_tokens": st.integers(1, 10**6) | st.none(),
    },
)


def as_yaml(models: dict[str, dict[str, object]]) -> str:
    lines = ["providers:", "  p: {dialect: anthropic, base_url: 'http://10.0.0.1'}", "models:"]
    for name, fields in models.items():
        lines.append(f"  {name}:")
        lines.append("    routes: [" + ", ".join(f"{{provider: {one}}}" for one in fields["routes"]) + "]")
        if "aliases" in fields:
            lines.append(f"    aliases: [{', '.join(fields['aliases'])}]")
        if "price" in fields:
            lines.append("    price: {{input: {}, output: {}}}".format(*fields["price"]))
        if "max_input_tokens" in fields:
            lines.append(f"    max_input_tokens: {fields['max_input_tokens'] or 'null'}")
    return "\n".join(lines)


@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.dictionaries(NAMES, MODEL, min_size=1, max_size=3), min_size=2, max_size=3),
    prune=st.booleans(),
)
def test_whatever_was_applied_before_a_second_time_changes_nothing(
    db: None, files: list[dict[str, dict[str, object]]], prune: bool
) -> None:
    for models in files:
        try:
            run(as_yaml(models), prune=prune)
        except DeclarationError:
            continue
        before = everything()
        assert run(as_yaml(models), prune=prune) == []
        assert everything() == before
