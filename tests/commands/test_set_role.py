"""`manage.py set_role`: how a member becomes an admin."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from gateway.models import AuditEntry
from tests.people import Cast


def set_role(email: str, role: str, organization: str = "Acme") -> str:
    out = io.StringIO()
    call_command("set_role", "--organization", organization, "--email", email, "--role", role, stdout=out)
    return out.getvalue()


def test_a_member_becomes_an_admin(people: Cast) -> None:
    told = set_role("DEV@example.com", "admin")

    assert told == "dev@example.com: developer -> admin of Acme\n"
    assert people.dev.memberships.get().role == "admin"
    line = AuditEntry.objects.get(action="membership.role_set")
    assert (line.actor_type, line.details) == ("system", {"old": "developer", "new": "admin"})


@pytest.mark.parametrize(
    ("email", "role", "message"),
    [
        ("mallory@example.com", "admin", "Acme has no member with the address 'mallory@example.com'"),
        (
            "dev@example.com",
            "owner",
            "role: 'owner' is unknown; expected one of admin, billing, claude_code_user, developer, user",
        ),
        ("ada@example.com", "user", "The last admin of an organization stays one"),
    ],
)
def test_what_cannot_be_is_one_clear_line(people: Cast, email: str, role: str, message: str) -> None:
    with pytest.raises(CommandError) as refused:
        set_role(email, role)

    assert str(refused.value).startswith(message)
    assert people.ada.memberships.get().role == "admin"
