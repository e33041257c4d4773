from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from admin_api.actions import invites, providers, second_factors, sso_connections
from admin_api.actor import SYSTEM
from admin_api.catalog import WeightedKey
from gateway.encryption import Vault
from gateway.models import AuditEntry, Mail, ProviderKey, SsoConnection
from tests.dashboard.test_second_factors import code_of, with_app
from tests.people import Cast

pytestmark = pytest.mark.django_db
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SECRET = "sk-provider-0123456789abcdef"


@pytest.fixture
def with_keys(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the encryption keys of this process."""

    def use(*keys: str) -> None:
        secret = [SecretStr(key) for key in keys]
        changed = settings.CONFIGURATION.model_copy(update={"data_encryption_keys": secret})
        monkeypatch.setattr(settings, "CONFIGURATION", changed)

    return use


def provider() -> ProviderKey:
    address = {"dialect": "anthropic", "base_url": "http://10.0.0.1"}
    row = providers.upsert(actor=SYSTEM, name="mine", api_keys=[WeightedKey(SECRET)], **address).row
    return row.keys.get()


def identity_provider(people: Cast) -> SsoConnection:
    sso_connections.allow_domain(actor=SYSTEM, organization=people.acme, domain="acme.example")
    return sso_connections.create(
        actor=SYSTEM,
        organization=people.acme,
        provider=sso_connections.Oidc("https://1.1.1.1", "gateway", SECRET),
        domains=["acme.example"],
        role="user",
    )


def reencrypt() -> str:
    out = io.StringIO()
    call_command("reencrypt", stdout=out)
    return out.getvalue()


def test_stored_secrets_come_under_the_first_key(with_keys: Callable[..., None]) -> None:
    with_keys(OLD)
    key = provider()
    with_keys(NEW, OLD)

    assert reencrypt() == "Brought under the first key: 1 of 1\n"

    key.refresh_from_db()
    assert Vault([NEW]).decrypt(key.encrypted_api_key) == SECRET
    entry = AuditEntry.objects.get(action="encryption.renewed")
    assert entry.details == {"total": 1, "changed": 1, "unreadable": []}


def test_so_do_those_of_identity_providers(people: Cast, with_keys: Callable[..., None]) -> None:
    with_keys(OLD)
    connection = identity_provider(people)
    with_keys(NEW, OLD)

    assert reencrypt() == "Brought under the first key: 1 of 1\n"

    connection.refresh_from_db()
    assert Vault([NEW]).decrypt(bytes(connection.encrypted_client_secret)) == SECRET


def test_what_codes_follow_from_comes_under_the_first_key(
    with_keys: Callable[..., None], people: Cast
) -> None:
    with_keys(OLD)
    secret, codes = with_app(people.ada)
    with_keys(NEW, OLD)

    assert reencrypt() == "Brought under the first key: 2 of 2\n"

    with_keys(NEW)
    assert second_factors.use_app_code(people.ada, code_of(secret)) is not None
    assert second_factors.use_recovery_code(actor=SYSTEM, user=people.ada, code=codes[0]) is not None


def test_a_second_time_changes_nothing(with_keys: Callable[..., None]) -> None:
    with_keys(OLD)
    key = provider()

    assert reencrypt() == "Brought under the first key: 0 of 1\n"

    stored = bytes(key.encrypted_api_key)
    key.refresh_from_db()
    assert bytes(key.encrypted_api_key) == stored


def test_what_no_key_opens_is_named_and_left(with_keys: Callable[..., None]) -> None:
    with_keys(OLD)
    lost = provider()
    with_keys(NEW)

    with pytest.raises(CommandError, match=f"^no key opens: provider key {lost.pk}$"):
        reencrypt()

    stored = bytes(lost.encrypted_api_key)
    lost.refresh_from_db()
    assert bytes(lost.encrypted_api_key) == stored


def test_a_mail_that_waits_is_renewed_and_one_without_a_secret_left_alone(
    with_keys: Callable[..., None], people: Cast
) -> None:
    with_keys(OLD)
    invites.create(
        actor=SYSTEM, organization=people.acme, email="new@example.com", role="user", mailing="by a worker"
    )
    Mail.objects.create(organization=people.acme, recipient="ada@example.com", subject="S", text="T")
    with_keys(NEW, OLD)

    assert reencrypt() == "Brought under the first key: 1 of 1\n"

    assert "/invites/" in Vault([NEW]).decrypt(Mail.objects.get(text="").sealed)
