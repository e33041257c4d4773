"""What holds for every action alike: one audit line in the same transaction, and nothing without it."""

from __future__ import annotations

import datetime
import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import signing
from django.db import DatabaseError, connection, transaction
from django.test import Client

from admin_api import actions, webhook_events
from admin_api.actions import (
    api_keys,
    credit,
    email_addresses,
    encryption,
    house_rules,
    invites,
    memberships,
    message_batches,
    model_groups,
    models,
    operator_keys,
    organizations,
    passwords,
    playground_keys,
    profiles,
    provider_checks,
    providers,
    request_contents,
    saved_prompts,
    second_factors,
    service_account_workspaces,
    service_accounts,
    sessions,
    spend_limit_increase_requests,
    spend_limits,
    sso_connections,
    sso_members,
    tiers,
    users,
    webhook_endpoints,
    workspace_members,
    workspaces,
)
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo, WeightedKey
from admin_api.queries.sessions import name_of
from admin_api.sso_settings import Oidc
from gateway.models import (
    ApiKey,
    AuditEntry,
    Membership,
    Model,
    Organization,
    Provider,
    SavedPrompt,
    ServiceAccount,
    ServiceAccountWorkspace,
    SpendLimit,
    SpendLimitIncreaseRequest,
    SsoConnection,
    Tier,
    WebhookEndpoint,
    Workspace,
)
from gateway.protocol.anthropic.batch_body import Items
from tests.admin_api.spending import spent
from tests.admin_api.test_audit_chain import commit
from tests.batches.rows import batch_of
from tests.contents import kept
from tests.people import PASSWORD, Cast

Act = Callable[[], object]
RATES = Rates(*[Decimal(1)] * 5)


def key(people: Cast) -> ApiKey:
    return api_keys.create(actor=SYSTEM, organization=people.acme, name="old")[0]


def prepaid(people: Cast) -> Organization:
    """Acme, which has spent a dollar of what it paid."""
    begun = credit.begin(actor=SYSTEM, organization=people.acme)
    spent(key(people), "1")
    return begun


def invitation(people: Cast) -> str:
    return invites.create(actor=SYSTEM, organization=people.acme, email="new@example.com", role="user")[1]


def service_account(people: Cast) -> ServiceAccount:
    return service_accounts.create(actor=SYSTEM, organization=people.acme, name="deploy")


def place(people: Cast, it: ServiceAccount, role: str) -> ServiceAccountWorkspace:
    default = people.acme.workspaces.get()
    return service_account_workspaces.add(actor=SYSTEM, workspace=default, service_account=it, role=role)


def membership(people: Cast) -> Membership:
    return people.dev.memberships.get()


def reset_token(people: Cast) -> str:
    return passwords.create_link(actor=SYSTEM, user=people.dev).rpartition("/")[2]


def workspace(people: Cast) -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")


def workspace_of_dev(people: Cast) -> Workspace:
    lab = workspace(people)
    workspace_members.add(
        actor=SYSTEM, workspace=lab, membership=membership(people), role="workspace_developer"
    )
    return lab


def provider(name: str = "p", keys: Sequence[str] = ()) -> Provider:
    secrets = [WeightedKey(key) for key in keys]
    address = "http://10.0.0.1"
    return providers.upsert(
        actor=SYSTEM, name=name, dialect="anthropic", base_url=address, api_keys=secrets
    ).row


def model() -> Model:
    return models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")], aliases=["a"]).row


def spend_limit(people: Cast, amount: int | None = 5) -> SpendLimit:
    return spend_limits.set_amount(
        actor=SYSTEM, organization=people.acme, user=people.dev, period="daily", amount=amount
    )


def increase_request(people: Cast) -> SpendLimitIncreaseRequest:
    return spend_limit_increase_requests.create(actor=SYSTEM, membership=membership(people), period="monthly")


def saved_prompt(people: Cast) -> SavedPrompt:
    return saved_prompts.save(
        actor=SYSTEM, member=membership(people), name="haiku", content={"system": "Be brief."}
    )


def endpoint(people: Cast) -> WebhookEndpoint:
    return webhook_endpoints.create(
        actor=SYSTEM, organization=people.acme, url="https://1.1.1.1/", enabled_events=webhook_events.TYPES
    )[0]


def code_of(secret: str) -> str:
    """What an app with this secret shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def app(people: Cast) -> tuple[int, list[str]]:
    """The id of an authenticator app of Dev's, and the first recovery codes."""
    secret = second_factors.new_secret()
    codes = second_factors.add_app(actor=SYSTEM, user=people.dev, secret=secret, code=code_of(secret))
    return Authenticator.objects.get(user_id=people.dev.id, type="totp").pk, codes


def session(people: Cast) -> str:
    """The name of a session of Dev's."""
    client = Client()
    client.force_login(people.dev)
    return name_of(client.session.session_key or "")


def confirmation(people: Cast) -> str:
    return signing.dumps([people.dev.id, people.dev.email], salt=email_addresses.SALT)


OIDC = Oidc("https://1.1.1.1", "gateway", "a secret")


def with_domain(people: Cast) -> Organization:
    sso_connections.allow_domain(actor=SYSTEM, organization=people.acme, domain="acme.example")
    return people.acme


def sso(people: Cast, state: str = "draft") -> SsoConnection:
    sso_connections.allow_domain(actor=SYSTEM, organization=people.acme, domain="example.com")
    made = sso_connections.create(
        actor=SYSTEM,
        organization=people.acme,
        provider=OIDC,
        domains=["example.com"],
        role="user",
    )
    SsoConnection.objects.filter(pk=made.pk).update(state=state)
    made.refresh_from_db()
    return made


def tier() -> Tier:
    return tiers.upsert(actor=SYSTEM, name="t", limits={}).row


# Each prepares what the action needs and returns the action, ready to run.
SCENARIOS: dict[str, Callable[[Cast], Act]] = {
    "api_keys.create": lambda people: lambda: key(people),
    "api_keys.update": lambda people: (
        lambda it: (
            lambda: api_keys.update(
                actor=SYSTEM, key=it, status="inactive", spend_limit=api_keys.Cap(100, "daily")
            )
        )
    )(key(people)),
    "api_keys.rotate": lambda people: (
        lambda it: lambda: api_keys.rotate(actor=SYSTEM, key=it, overlap=datetime.timedelta(hours=1))
    )(key(people)),
    "credit.adjust": lambda people: (
        lambda: credit.adjust(actor=SYSTEM, organization=people.acme, amount=-7, note="refund")
    ),
    "credit.begin": lambda people: lambda: credit.begin(actor=SYSTEM, organization=people.acme),
    "credit.end": lambda people: (lambda it: lambda: credit.end(actor=SYSTEM, organization=it))(
        prepaid(people)
    ),
    "email_addresses.ask": lambda people: lambda: email_addresses.ask(actor=SYSTEM, user=people.dev),
    "email_addresses.confirm": lambda people: (lambda it: lambda: email_addresses.confirm(token=it))(
        confirmation(people)
    ),
    "house_rules.update": lambda people: (
        lambda: house_rules.update(
            actor=SYSTEM,
            organization=people.acme,
            admin=people.ada,
            session_hours=8,
            invite_domains=["a.example"],
        )
    ),
    "encryption.renew": lambda people: lambda: encryption.renew(actor=SYSTEM),
    "invites.create": lambda people: lambda: invitation(people),
    "invites.accept": lambda people: (
        lambda it: lambda: invites.accept(token=it, name="New", password=PASSWORD, user=None)
    )(invitation(people)),
    "invites.withdraw": lambda people: (lambda it: lambda: invites.withdraw(actor=SYSTEM, invite=it))(
        invites.create(actor=SYSTEM, organization=people.acme, email="new@example.com", role="user")[0]
    ),
    "invites.renew": lambda people: (lambda it: lambda: invites.renew(actor=SYSTEM, invite=it))(
        invites.create(actor=SYSTEM, organization=people.acme, email="new@example.com", role="user")[0]
    ),
    "memberships.add": lambda people: (
        lambda: memberships.add(actor=SYSTEM, organization=people.acme, user=people.mallory, role="user")
    ),
    "memberships.set_role": lambda people: (
        lambda it: lambda: memberships.set_role(actor=SYSTEM, membership=it, role="billing")
    )(membership(people)),
    "memberships.remove": lambda people: (lambda it: lambda: memberships.remove(actor=SYSTEM, membership=it))(
        membership(people)
    ),
    "models.upsert": lambda people: (
        lambda: models.upsert(
            actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")], aliases=["a"], price=RATES
        )
    ),
    "models.release_aliases": lambda people: (
        lambda it: lambda: models.release_aliases(actor=SYSTEM, model=it, aliases=["a"])
    )(model()),
    "models.remove": lambda people: (lambda it: lambda: models.remove(actor=SYSTEM, model=it))(model()),
    "operator_keys.create": lambda people: lambda: operator_keys.create(actor=SYSTEM, name="terraform"),
    "operator_keys.revoke": lambda people: (lambda it: lambda: operator_keys.revoke(actor=SYSTEM, key=it))(
        operator_keys.create(actor=SYSTEM, name="terraform")[0]
    ),
    "organizations.create": lambda people: (
        lambda: organizations.create(actor=SYSTEM, name="New", tier=people.acme.tier)
    ),
    "organizations.set_up": lambda people: (
        lambda: organizations.set_up(
            actor=SYSTEM, name="New", tier=people.acme.tier, admin_email="new@example.com"
        )
    ),
    "organizations.update": lambda people: (
        lambda it: (
            lambda: organizations.update(
                actor=SYSTEM,
                organization=people.acme,
                name="Acme Inc.",
                tier=it,
                limits={"concurrent_requests": 1},
                group_limits={"batch": {"tokens_per_day": 1}},
                denied_models=["claude-opus-*"],
            )
        )
    )(tier()),
    "organizations.rename": lambda people: (
        lambda: organizations.rename(actor=SYSTEM, organization=people.acme, name="Acme Inc.")
    ),
    "organizations.suspend": lambda people: (
        lambda: organizations.suspend(actor=SYSTEM, organization=people.acme)
    ),
    "organizations.resume": lambda people: (
        lambda it: lambda: organizations.resume(actor=SYSTEM, organization=it)
    )(organizations.suspend(actor=SYSTEM, organization=people.acme)),
    "organizations.set_tier": lambda people: (
        lambda it: lambda: organizations.set_tier(actor=SYSTEM, organization=people.acme, tier=it)
    )(tier()),
    "organizations.set_limits": lambda people: (
        lambda: organizations.set_limits(
            actor=SYSTEM, organization=people.acme, limits={"concurrent_requests": 1}
        )
    ),
    "organizations.set_group_limits": lambda people: (
        lambda: organizations.set_group_limits(
            actor=SYSTEM,
            organization=people.acme,
            group_limits={"batch": {"tokens_per_day": 1}},
        )
    ),
    "organizations.set_models": lambda people: (
        lambda: organizations.set_models(actor=SYSTEM, organization=people.acme, allowed=["claude-*"])
    ),
    "passwords.create_link": lambda people: lambda: passwords.create_link(actor=SYSTEM, user=people.dev),
    "passwords.set_password": lambda people: (
        lambda it: lambda: passwords.set_password(token=it, password="a wholly different passphrase")
    )(reset_token(people)),
    "passwords.change": lambda people: (
        lambda: passwords.change(actor=SYSTEM, user=people.dev, password="a wholly different passphrase")
    ),
    "profiles.update": lambda people: lambda: profiles.update(actor=SYSTEM, user=people.dev, name="D."),
    "second_factors.add_app": lambda people: lambda: app(people),
    "second_factors.add_passkey": lambda people: (
        lambda: second_factors.add_passkey(actor=SYSTEM, user=people.dev, name="Blue", credential={})
    ),
    "second_factors.remove": lambda people: (
        lambda it: lambda: second_factors.remove(actor=SYSTEM, user=people.dev, id=it)
    )(app(people)[0]),
    "second_factors.renew_codes": lambda people: (
        lambda _: lambda: second_factors.renew_codes(actor=SYSTEM, user=people.dev)
    )(app(people)),
    "second_factors.reset": lambda people: (
        lambda _: lambda: second_factors.reset(actor=SYSTEM, user=people.dev)
    )(app(people)),
    "second_factors.use_recovery_code": lambda people: (
        lambda it: lambda: second_factors.use_recovery_code(actor=SYSTEM, user=people.dev, code=it[0])
    )(app(people)[1]),
    "sessions.end": lambda people: (lambda it: lambda: sessions.end(actor=SYSTEM, user=people.dev, name=it))(
        session(people)
    ),
    "sessions.end_others": lambda people: (
        lambda _: lambda: sessions.end_others(actor=SYSTEM, user=people.dev, key=None)
    )(session(people)),
    "playground_keys.take": lambda people: (
        lambda: playground_keys.take(
            actor=SYSTEM, member=membership(people), workspace=people.acme.workspaces.get()
        )
    ),
    "providers.upsert": lambda people: lambda: provider(),
    "providers.remove": lambda people: (lambda it: lambda: providers.remove(actor=SYSTEM, provider=it))(
        provider()
    ),
    "request_contents.read": lambda people: (
        lambda it: lambda: request_contents.read(actor=SYSTEM, organization=people.acme, request_id=it)
    )(kept(people.acme.workspaces.get()).request_id),
    "providers.drain": lambda people: (lambda it: lambda: providers.drain(actor=SYSTEM, provider=it))(
        provider()
    ),
    "providers.put_back": lambda people: (lambda it: lambda: providers.put_back(actor=SYSTEM, provider=it))(
        providers.drain(actor=SYSTEM, provider=provider())
    ),
    "providers.add_key": lambda people: (
        lambda it: lambda: providers.add_key(actor=SYSTEM, provider=it, key=WeightedKey("sk-of-the-provider"))
    )(provider()),
    "providers.remove_key": lambda people: (
        lambda it: lambda: providers.remove_key(actor=SYSTEM, provider=it, key_id=str(it.keys.get().pk))
    )(provider(keys=["sk-of-the-provider"])),
    "provider_checks.begin": lambda people: (
        lambda it: lambda: provider_checks.begin(actor=SYSTEM, provider=it, model="m")
    )(provider()),
    "saved_prompts.save": lambda people: lambda: saved_prompt(people),
    "saved_prompts.delete": lambda people: (lambda it: lambda: saved_prompts.delete(actor=SYSTEM, prompt=it))(
        saved_prompt(people)
    ),
    "service_accounts.create": lambda people: lambda: service_account(people),
    "service_accounts.update": lambda people: (
        lambda it: lambda: service_accounts.update(actor=SYSTEM, service_account=it, description="new")
    )(service_account(people)),
    "service_accounts.archive": lambda people: (
        lambda it: lambda: service_accounts.archive(actor=SYSTEM, service_account=it)
    )(service_account(people)),
    "service_account_workspaces.add": lambda people: (lambda it: lambda: place(people, it, "workspace_user"))(
        service_account(people)
    ),
    "service_account_workspaces.set_role": lambda people: (
        lambda it: (
            lambda: service_account_workspaces.set_role(
                actor=SYSTEM,
                workspace=it.workspace,
                service_account=it.service_account,
                role="workspace_admin",
            )
        )
    )(place(people, service_account(people), "workspace_user")),
    "service_account_workspaces.remove": lambda people: (
        lambda it: (
            lambda: service_account_workspaces.remove(
                actor=SYSTEM, workspace=it.workspace, service_account=it.service_account
            )
        )
    )(place(people, service_account(people), "workspace_user")),
    "spend_limit_increase_requests.create": lambda people: lambda: increase_request(people),
    "spend_limit_increase_requests.approve": lambda people: (
        lambda it: lambda: spend_limit_increase_requests.approve(actor=SYSTEM, request=it, amount=1)
    )(increase_request(people)),
    "spend_limit_increase_requests.deny": lambda people: (
        lambda it: lambda: spend_limit_increase_requests.deny(actor=SYSTEM, request=it)
    )(increase_request(people)),
    "spend_limits.set_amount": lambda people: (lambda _: lambda: spend_limit(people, amount=None))(
        spend_limit(people)
    ),
    "spend_limits.remove": lambda people: (
        lambda it: lambda: spend_limits.remove(actor=SYSTEM, spend_limit=it)
    )(spend_limit(people)),
    "message_batches.create": lambda people: (
        lambda held: (
            lambda: message_batches.create(
                actor=SYSTEM,
                workspace=people.acme.workspaces.get(is_default=True),
                api_key=held,
                items=[Items().checked(b'{"custom_id": "a", "params": {}}')],
            )
        )
    )(key(people)),
    "message_batches.resubmit": lambda people: (
        lambda held, it: (
            lambda: message_batches.resubmit(
                actor=SYSTEM, batch=it, workspace=it.workspace, api_key=held, states=["processing"]
            )
        )
    )(key(people), batch_of(people.acme, items=2, status="ended")),
    "message_batches.cancel": lambda people: (
        lambda it: lambda: message_batches.cancel(actor=SYSTEM, batch=it)
    )(batch_of(people.acme)),
    "model_groups.upsert": lambda people: lambda: model_groups.upsert(actor=SYSTEM, name="g"),
    "model_groups.remove": lambda people: (lambda it: lambda: model_groups.remove(actor=SYSTEM, group=it))(
        model_groups.upsert(actor=SYSTEM, name="g").row
    ),
    "sso_connections.create": lambda people: (
        lambda acme: (
            lambda: sso_connections.create(
                actor=SYSTEM, organization=acme, provider=OIDC, domains=["acme.example"], role="user"
            )
        )
    )(with_domain(people)),
    "sso_connections.update": lambda people: (
        lambda it: (
            lambda: sso_connections.update(
                actor=SYSTEM, connection=it, provider=OIDC, domains=["example.com"], role="developer"
            )
        )
    )(sso(people)),
    "sso_connections.note_test": lambda people: (
        lambda it: lambda: sso_connections.note_test(actor=SYSTEM, connection=it, version=it.version)
    )(sso(people)),
    "sso_connections.turn_on": lambda people: (
        lambda it: lambda: sso_connections.turn_on(actor=SYSTEM, connection=it)
    )(sso(people, "tested")),
    "sso_connections.turn_off": lambda people: (
        lambda it: lambda: sso_connections.turn_off(actor=SYSTEM, connection=it)
    )(sso(people, "on")),
    "sso_connections.require": lambda people: (
        lambda it: lambda: sso_connections.require(actor=SYSTEM, connection=it, break_glass=[people.ada.id])
    )(sso(people, "on")),
    "sso_connections.stop_requiring": lambda people: (
        lambda it: lambda: sso_connections.stop_requiring(actor=SYSTEM, connection=it)
    )(sso(people, "on")),
    "sso_connections.remove": lambda people: (
        lambda it: lambda: sso_connections.remove(actor=SYSTEM, connection=it)
    )(sso(people, "on")),
    "sso_connections.allow_domain": lambda people: (
        lambda: sso_connections.allow_domain(actor=SYSTEM, organization=people.acme, domain="acme.example")
    ),
    "sso_members.note_refusal": lambda people: (
        lambda it: lambda: sso_members.note_refusal(actor=SYSTEM, connection=it, reason="expired")
    )(sso(people, "on")),
    "sso_members.admit": lambda people: (
        lambda it: (
            lambda: sso_members.admit(
                actor=SYSTEM,
                connection=it,
                identity=sso_members.Identity("sub-1", "new@example.com", True, "New"),
            )
        )
    )(sso(people, "on")),
    "tiers.upsert": lambda people: lambda: tier(),
    "tiers.remove": lambda people: (lambda it: lambda: tiers.remove(actor=SYSTEM, tier=it))(tier()),
    "users.create": lambda people: (
        lambda: users.create(actor=SYSTEM, email="new@example.com", password=PASSWORD)
    ),
    "webhook_endpoints.create": lambda people: lambda: endpoint(people),
    "webhook_endpoints.update": lambda people: (
        lambda it: lambda: webhook_endpoints.update(actor=SYSTEM, endpoint=it, name="n", state="disabled")
    )(endpoint(people)),
    "webhook_endpoints.disable": lambda people: (
        lambda it: lambda: webhook_endpoints.disable(actor=SYSTEM, endpoint=it, reason="gone")
    )(endpoint(people)),
    "webhook_endpoints.regenerate_secret": lambda people: (
        lambda it: lambda: webhook_endpoints.regenerate_secret(actor=SYSTEM, endpoint=it)
    )(endpoint(people)),
    "webhook_endpoints.test": lambda people: (
        lambda it: lambda: webhook_endpoints.test(actor=SYSTEM, endpoint=it)
    )(endpoint(people)),
    "webhook_endpoints.remove": lambda people: (
        lambda it: lambda: webhook_endpoints.remove(actor=SYSTEM, endpoint=it)
    )(endpoint(people)),
    "workspace_members.add": lambda people: (
        lambda it: (
            lambda: workspace_members.add(
                actor=SYSTEM, workspace=it, membership=membership(people), role="workspace_user"
            )
        )
    )(workspace(people)),
    "workspace_members.set_role": lambda people: (
        lambda it: (
            lambda: workspace_members.set_role(
                actor=SYSTEM, workspace=it, user_id=people.dev.id, role="workspace_user"
            )
        )
    )(workspace_of_dev(people)),
    "workspace_members.remove": lambda people: (
        lambda it: lambda: workspace_members.remove(actor=SYSTEM, workspace=it, user_id=people.dev.id)
    )(workspace_of_dev(people)),
    "workspaces.create": lambda people: (
        lambda: workspaces.create(actor=SYSTEM, organization=people.acme, name="New")
    ),
    "workspaces.update": lambda people: (
        lambda it: lambda: workspaces.update(actor=SYSTEM, workspace=it, name="Laboratory")
    )(workspace(people)),
    "workspaces.archive": lambda people: (lambda it: lambda: workspaces.archive(actor=SYSTEM, workspace=it))(
        workspace(people)
    ),
    "workspaces.keep_contents": lambda people: (
        lambda it: lambda: workspaces.keep_contents(actor=SYSTEM, workspace=it, days=7)
    )(people.acme.workspaces.get()),
    "workspaces.set_models": lambda people: (
        lambda it: lambda: workspaces.set_models(actor=SYSTEM, workspace=it, denied=["claude-opus-*"])
    )(people.acme.workspaces.get()),
    "workspaces.set_limits": lambda people: (
        lambda it: (
            lambda: workspaces.set_limits(actor=SYSTEM, workspace=it, limits={"requests_per_minute": 2})
        )
    )(workspace(people)),
}
LINES = {
    "invites.accept": 3,  # the new user, the membership, the invite
    "organizations.set_up": 2,  # the organization, the invite
    "organizations.update": 5,  # one for each thing that changes
    "sso_members.admit": 3,  # the new user, the membership, the sign-in
}


def test_every_action_is_tried_here() -> None:
    """An action is a public function that changes rows, so one that runs in a transaction of its own."""
    found = set()
    for info in pkgutil.iter_modules(actions.__path__):
        module = importlib.import_module(f"admin_api.actions.{info.name}")
        for name, verb in inspect.getmembers(module, inspect.isfunction):
            if (
                not name.startswith("_")
                and verb.__module__ == module.__name__
                and hasattr(verb, "__wrapped__")
            ):
                found.add(f"{info.name}.{name}")

    assert found == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_action_takes_keywords_only(name: str) -> None:
    module, verb = name.split(".")
    parameters = inspect.signature(
        getattr(importlib.import_module(f"admin_api.actions.{module}"), verb)
    ).parameters

    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_action_leaves_its_audit_line(people: Cast, name: str) -> None:
    act = SCENARIOS[name](people)
    before = AuditEntry.objects.count()

    act()

    assert AuditEntry.objects.count() - before == LINES.get(name, 1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_action_whose_audit_line_cannot_be_written_changes_nothing(people: Cast, name: str) -> None:
    act = SCENARIOS[name](people)
    commit()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry ADD CONSTRAINT refused CHECK (false) NOT VALID")
    before = contents()

    with pytest.raises(DatabaseError, match="refused"):
        act()

    assert contents() == before


def contents() -> dict[str, list[tuple[object, ...]]]:
    """Every row of the gateway's tables."""
    tables = sorted(name for name in connection.introspection.table_names() if name.startswith("gateway_"))
    with connection.cursor() as cursor:
        rows = {}
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = cursor.fetchall()
    assert len(rows) > 10
    return rows


def test_the_audit_log_cannot_be_changed_or_emptied(people: Cast) -> None:
    commit()
    for statement in (
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
    ):
        with (
            pytest.raises(DatabaseError, match="audit entries are never changed or removed"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
