from __future__ import annotations

import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from gateway import credentials
from gateway.models import ApiKey, AuditEntry
from tests.people import Cast


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue().splitlines()


def key_of(secret: str) -> ApiKey:
    return ApiKey.objects.get(digest=credentials.digest(secret, settings.CONFIGURATION.peppers[0]))


def test_the_key_stands_alone_on_the_last_line(people: Cast) -> None:
    lines = run("--organization", "Acme", "--name", "CI")

    key = key_of(lines[-1])
    assert (key.name, key.kind, key.organization, key.workspace) == ("CI", "api", people.acme, None)
    assert lines[:-1] == [f"API key {key.id} of Acme; it is shown only now:"]
    assert AuditEntry.objects.get(action="api_key.created").actor_type == "system"


def test_a_key_may_be_bound_to_a_workspace_or_be_an_admin_key(people: Cast) -> None:
    bound = key_of(run("--organization", "Acme", "--name", "CI", "--workspace", "Default")[-1])
    admin = key_of(run("--organization", "Acme", "--name", "Ops", "--admin")[-1])

    assert bound.workspace == people.acme.workspaces.get()
    assert (admin.kind, admin.workspace) == ("admin", None)


def test_a_key_may_be_held_to_models(people: Cast) -> None:
    lines = run(
        *("--organization", "Acme", "--name", "CI", "--allow-model", "claude-haiku-5-5"),
        *("--allow-model", "claude-sonnet-*", "--deny-model", "claude-sonnet-4-5"),
    )

    key = key_of(lines[-1])
    assert key.allowed_models == ["claude-haiku-5-5", "claude-sonnet-*"]
    assert key.denied_models == ["claude-sonnet-4-5"]


def test_a_key_may_be_held_to_networks(people: Cast) -> None:
    lines = run(
        *("--organization", "Acme", "--name", "CI"),
        *("--allow-ip", "10.0.0.0/8", "--allow-ip", "2001:db8::1"),
    )

    assert key_of(lines[-1]).allowed_ips == ["10.0.0.0/8", "2001:db8::1/128"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--organization", "acme", "--name", "x"),
            "no organization is named 'acme'; there are: Acme, Umbrella",
        ),
        (
            ("--organization", "Acme", "--name", "x", "--workspace", "Nope"),
            "Acme has no workspace named 'Nope'; there are: Default",
        ),
        (
            ("--organization", "Acme", "--name", "x", "--deny-model", "claude-sonet-5-5"),
            "denied_models: no model has the name or alias 'claude-sonet-5-5' (did you mean claude-sonnet-5-5?)",
        ),
        (
            ("--organization", "Acme", "--name", "x", "--allow-ip", "10.0.0.1/8"),
            "allowed_ips.0: '10.0.0.1/8' has host bits set; the network is 10.0.0.0/8",
        ),
        (("--organization", "Acme", "--name", ""), "name: expected 1 to 500 characters"),
        (
            ("--organization", "Acme", "--name", "x", "--workspace", "Default", "--admin"),
            "workspace: an Admin key belongs to the whole organization",
        ),
    ],
)
def test_what_does_not_exist_is_one_clear_line(
    people: Cast, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert str(refused.value) == message
    assert refused.value.returncode == 1
    assert not ApiKey.objects.exists()
