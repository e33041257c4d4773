from __future__ import annotations

import pytest

from admin_api.actions import memberships, organizations, tiers, users, workspaces
from admin_api.actor import SYSTEM
from gateway.errors import InvalidRequest
from gateway.models import Membership, Organization, Tier, User
from tests.people import PASSWORD, Cast


def test_an_organization_is_made_with_its_default_workspace(db: None) -> None:
    acme = organizations.create(actor=SYSTEM, name=" Acme ", tier=Tier.objects.get(name="basic"))

    assert acme.name == "Acme"
    assert [(one.name, one.is_default) for one in acme.workspaces.all()] == [("Default", True)]


def test_names_of_organizations_are_exact_and_taken_once(people: Cast) -> None:
    organizations.create(actor=SYSTEM, name="acme", tier=people.acme.tier)

    for name, message in (
        ("Acme", "name: an organization named 'Acme' exists already"),
        (" ", "name: expected 1 to 200 characters"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            organizations.create(actor=SYSTEM, name=name, tier=people.acme.tier)
        assert refused.value.message == message


def test_own_limits_override_and_lift_those_of_the_tier(people: Cast) -> None:
    organizations.set_limits(
        actor=SYSTEM, organization=people.acme, limits={"concurrent_requests": 80, "tokens_per_minute": None}
    )

    assert Organization.objects.get(pk=people.acme.pk).effective_limits() == {
        "requests_per_minute": 200,
        "concurrent_requests": 80,
    }


@pytest.mark.parametrize(
    ("name", "value"), [("requests", 5), ("concurrent_requests", 0), ("concurrent_requests", True)]
)
def test_a_wrong_limit_changes_nothing(people: Cast, name: str, value: int) -> None:
    with pytest.raises(InvalidRequest, match=rf"^limits\.{name}: "):
        organizations.set_limits(actor=SYSTEM, organization=people.acme, limits={name: value})

    assert Organization.objects.get(pk=people.acme.pk).limits == {}


def test_a_tier_in_use_and_a_standard_tier_stay(people: Cast) -> None:
    tier = tiers.upsert(actor=SYSTEM, name="special", limits={"requests_per_minute": 1}).row
    organizations.set_tier(actor=SYSTEM, organization=people.acme, tier=tier)

    for name, message in (
        ("special", "tiers.special: organizations are on it"),
        ("enterprise", "tiers.enterprise: a standard tier cannot be removed"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            tiers.remove(actor=SYSTEM, tier=Tier.objects.get(name=name))
        assert refused.value.message == message


def test_workspace_names_are_taken_once_per_organization(people: Cast) -> None:
    workspaces.create(actor=SYSTEM, organization=people.acme, name="Research")
    workspaces.create(actor=SYSTEM, organization=people.umbrella, name="Research")

    with pytest.raises(InvalidRequest, match=r"^name: a workspace named 'Research' exists already$"):
        workspaces.create(actor=SYSTEM, organization=people.acme, name="Research")


def test_a_member_who_is_added_again_keeps_their_role(people: Cast) -> None:
    memberships.add(actor=SYSTEM, organization=people.acme, user=people.uma, role="admin")

    assert Membership.objects.get(organization=people.acme, user=people.uma).role == "user"


def test_addresses_are_compared_without_case(people: Cast) -> None:
    with pytest.raises(InvalidRequest, match=r"^email: ada@example\.com has an account already$"):
        users.create(actor=SYSTEM, email="ADA@Example.com ", password=PASSWORD)

    assert users.create(actor=SYSTEM, email="New@Example.com", password=PASSWORD).email == "new@example.com"
    assert User.objects.filter(email="new@example.com").count() == 1
