"""Whatever anybody asks of the Admin API in whatever order: nobody gets what they do not hold (promise A6).

Each run is a walk of requests by everybody there is, with a model of who may do what beside it. `make test` takes
a few; LONG_TESTS=1 takes 2,000.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from admin_api.actions import api_keys, invites
from admin_api.actor import SYSTEM
from gateway.errors import GatewayError
from gateway.models import ApiKey, Invite, Membership, Organization, User, Workspace, WorkspaceMember
from tests.people import PASSWORD, Cast, cast

ROOT = "/v1/organizations"
RUNS = 2000 if os.environ.get("LONG_TESTS") else 20
NAMES = ["ada", "dev", "bill", "uma", "mallory", "olga", "new@example.com"]
ROLES = ["user", "billing", "developer", "admin", "admin", "owner", "managed"]
WORKSPACE_ROLES = [
    "workspace_user",
    "workspace_developer",
    "workspace_restricted_developer",
    "workspace_admin",
    "workspace_billing",
]
CALLERS = ["Acme's Admin key", "Acme's API key", "Umbrella's Admin key", *NAMES]

people = st.sampled_from(NAMES)
callers = st.sampled_from([*CALLERS, *["Acme's Admin key", "ada"] * 3])  # mostly those who may do something
roles = st.sampled_from(ROLES)
workspace_roles = st.sampled_from(WORKSPACE_ROLES)


class Office(RuleBasedStateMachine):
    """The world is real rows in a transaction that is never committed; `roles` is what Acme should look like."""

    tokens = Bundle("tokens")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self._world = transaction.atomic()
        self._world.__enter__()

    @initialize()
    def open(self) -> None:
        self.cast: Cast = cast()
        self.acme, self.umbrella = self.cast.acme, self.cast.umbrella
        self.lab = Workspace.objects.create(organization=self.acme, name="Lab")
        self.secrets = {
            "Acme's Admin key": self._key(self.acme, "admin"),
            "Acme's API key": self._key(self.acme, "api"),
            "Umbrella's Admin key": self._key(self.umbrella, "admin"),
        }
        self.roles = {"ada": "admin", "dev": "developer", "bill": "billing", "uma": "user"}
        self.accepted: set[str] = set()
        self.before = self._umbrella()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._world.__exit__(None, None, None)

    # --- What anybody may try ---

    @rule(caller=callers, who=people, role=roles)
    def give_a_role(self, caller: str, who: str, role: str) -> None:
        done = self._ask(caller, f"/users/{self._id(who)}", {"role": role})

        if done:
            assert role not in ("admin", "owner", "managed")
            self.roles[who] = role

    @rule(caller=callers, who=people)
    def remove(self, caller: str, who: str) -> None:
        if self._ask(caller, f"/users/{self._id(who)}", None):
            del self.roles[who]

    @rule(target=tokens, caller=callers, who=people, role=roles)
    def invite(self, caller: str, who: str, role: str) -> tuple[str, str, str]:
        done = self._ask(caller, "/invites", {"email": self._email(who), "role": role})

        assert not (done and role in ("admin", "owner", "managed"))
        return (who, role, done["url"].rpartition("/")[2]) if done else (who, role, "")

    @rule(token=tokens, visitor=st.sampled_from([None, *NAMES]))
    def accept(self, token: tuple[str, str, str], visitor: str | None) -> None:
        who, role, secret = token
        user = self._user(visitor) if visitor is not None else None
        if visitor is not None and user is None:
            return
        try:
            invites.accept(token=secret, name="New", password=PASSWORD, user=user)
        except GatewayError:
            return
        assert secret not in self.accepted
        assert visitor in (None, who), "somebody took another one's invitation"
        self.accepted.add(secret)
        self.roles.setdefault(who, role)

    @rule(caller=callers, who=people, role=workspace_roles, again=st.booleans())
    def give_a_workspace_role(self, caller: str, who: str, role: str, again: bool) -> None:
        path = f"/workspaces/{self.lab.id}/members"
        if again:
            done = self._ask(caller, f"{path}/{self._id(who)}", {"workspace_role": role})
        else:
            done = self._ask(caller, path, {"user_id": self._id(who), "workspace_role": role})
        if done and role == "workspace_billing":
            assert self.roles[who] == "billing"

    @rule(target=keys, caller=callers, who=st.sampled_from([None, *NAMES]))
    def make_a_key(self, caller: str, who: str | None) -> str:
        principal = {"type": "user_actor", "user_id": self._id(who)} if who else None
        done = self._ask(caller, "/api_keys", {"name": "A key", "principal": principal})

        if done and who is not None:
            assert who in self.roles, "a key acts for somebody who is no member"
        return str(done["id"]) if done else "apikey_01nothing"

    @rule(caller=callers, key=keys, status=st.sampled_from(["active", "inactive", "archived", "expired"]))
    def switch_a_key(self, caller: str, key: str, status: str) -> None:
        archived = ApiKey.objects.filter(pk=key, status="archived").exists()

        done = self._ask(caller, f"/api_keys/{key}", {"status": status})

        assert not (done and archived and status != "archived"), "an archived key came back"

    # --- What holds, whatever was tried ---

    @invariant()
    def acme_is_as_the_rules_say(self) -> None:
        found = Membership.objects.filter(organization=self.acme).values_list("user__email", "role")
        assert dict(found) == {self._email(name): role for name, role in self.roles.items()}
        assert "admin" in self.roles.values(), "the last admin is gone"

    @invariant()
    def admins_only_become_fewer(self) -> None:
        assert {name for name, role in self.roles.items() if role == "admin"} <= {"ada"}

    @invariant()
    def umbrella_is_as_it_was(self) -> None:
        assert self._umbrella() == self.before

    @invariant()
    def nobody_holds_a_key_without_belonging_here(self) -> None:
        active = ApiKey.objects.filter(organization=self.acme, status="active").exclude(user=None)
        members = Membership.objects.filter(organization=self.acme).values("user")
        assert not active.exclude(user__in=members).exists()
        assert not WorkspaceMember.objects.filter(workspace=self.lab).exclude(user__in=members).exists()
        assert not WorkspaceMember.objects.filter(role="workspace_billing").exists(), "it is only inherited"

    # --- How they ask ---

    def _ask(self, caller: str, path: str, body: dict[str, object] | None) -> dict[str, object]:
        """The answer of a request that was carried out in Acme; {} for a refusal, which has to be one of those told.

        What Umbrella's own do is done in Umbrella: that Acme stays as it is, an invariant says.
        """
        client = Client()
        headers = {"x-api-key": self.secrets[caller]} if caller in self.secrets else {}
        user = None if headers else self._user(caller)
        if user is not None:
            client.force_login(user)
        method = client.delete if body is None else client.post
        answer = method(ROOT + path, body, content_type="application/json", headers=headers)
        assert answer.status_code in (200, 400, 401, 403, 404, 409), answer.content
        if answer.status_code != 200:
            return {}
        if caller in ("Umbrella's Admin key", "mallory"):  # at home there, and nowhere else
            self.before = self._umbrella()
            return {}
        assert caller == "Acme's Admin key" or self.roles.get(caller) == "admin", f"{caller} may not do this"
        return answer.json()  # type: ignore[no-any-return]

    def _key(self, organization: Organization, kind: str) -> str:
        return api_keys.create(actor=SYSTEM, organization=organization, name="A key", kind=kind)[1]  # type: ignore[arg-type]

    def _email(self, name: str) -> str:
        return name if "@" in name else f"{name}@example.com"

    def _user(self, name: str) -> User | None:
        return User.objects.filter(email=self._email(name)).first()

    def _id(self, name: str) -> str:
        user = self._user(name)
        return user.id if user is not None else "user_01nobody"

    def _umbrella(self) -> list[object]:
        return [
            list(model.objects.filter(organization=self.umbrella).order_by("pk").values())
            for model in (Membership, ApiKey, Workspace, Invite)
        ]


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """All runs share the test's connection; each rolls its own world back."""
    yield


def test_nobody_gets_what_they_do_not_hold(one_connection: None) -> None:
    run_state_machine_as_test(
        Office,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
