"""`invite` and `reset_password`: links that let people in without any mail server."""

from __future__ import annotations

import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from admin_api.actions import invites, passwords
from admin_api.queries.second_factors import has_second_factor
from tests.dashboard.test_second_factors import with_app
from tests.people import Cast


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().splitlines()


def test_an_invitation_link_stands_alone_on_the_last_line(people: Cast) -> None:
    lines = run("invite", "--organization", "Acme", "--email", "New@Example.com", "--role", "billing")

    base, _, token = lines[-1].rpartition("/")
    assert base == f"{settings.CONFIGURATION.base_url}/invites"
    invite = invites.find(token)
    assert (invite.email, invite.role, invite.organization) == ("new@example.com", "billing", people.acme)
    assert lines[0].startswith("For new@example.com only, billing of Acme, until ")


@pytest.mark.parametrize(
    ("organization", "email", "role", "message"),
    [
        ("Nobody", "a@example.com", "user", "no organization is named 'Nobody'; there are: Acme, Umbrella"),
        ("Acme", "not an address", "user", "email: 'not an address' is not an e-mail address"),
        ("Acme", "dev@example.com", "user", "email: dev@example.com is a member of Acme already"),
        (
            "Acme",
            "a@example.com",
            "owner",
            "role: 'owner' is unknown; expected one of admin, billing, claude_code_user, developer, user",
        ),
    ],
)
def test_a_wrong_invitation_is_one_clear_line(
    people: Cast, organization: str, email: str, role: str, message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        run("invite", "--organization", organization, "--email", email, "--role", role)

    assert str(refused.value) == message


def test_a_reset_link_stands_alone_on_the_last_line(people: Cast) -> None:
    lines = run("reset_password", "ADA@example.com")

    base, _, token = lines[-1].rpartition("/")
    assert base == f"{settings.CONFIGURATION.base_url}/reset"
    assert passwords.find(token) == people.ada
    assert lines[:-1] == ["For ada@example.com, to be used once:"]


def test_an_unknown_address_is_one_clear_line(people: Cast) -> None:
    with pytest.raises(CommandError) as refused:
        run("reset_password", "nobody@example.com")

    assert str(refused.value) == "no user has the address 'nobody@example.com'"


def test_lost_second_factors_are_taken_away_with_the_sessions(people: Cast) -> None:
    with_app(people.ada)
    client = Client()
    client.force_login(people.ada)

    assert run("reset_second_factor", "ADA@example.com") == [
        "ada@example.com signs in with the password alone from now on."
    ]

    assert not has_second_factor(people.ada)
    assert client.get("/settings").status_code == 302
