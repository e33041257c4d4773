"""The networks that a key may be used from: how they are written, and that they hold at every door."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from admin_api.networks import check_networks
from gateway.errors import InvalidRequest
from gateway.models import ApiKey
from gateway.principal import may_come_from, networks_of
from tests.admin_api.conftest import open_door
from tests.admin_api.door import Door, admin_key, refused
from tests.admin_api.key_maker import Admin
from tests.people import Cast


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("10.0.0.1", "10.0.0.1/32"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_stored_in_one_form(given: str, stored: str) -> None:
    assert check_networks([given, stored, given]) == [stored]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "10",
        "10.0.0",
        "010.0.0.1",
        "10.0.0.0/33",
        "/8",
        "fe80::1%eth0",
        "x" * 10_000,
        "\u0661.1.1.1",
    ],
)
def test_what_is_no_network_is_told_with_its_place(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^allowed_ips\.1: .{1,64} is neither an address nor a network"):
        check_networks(["10.0.0.1", wrong])


@pytest.mark.parametrize(("wrong", "network"), [("10.0.0.1/8", "10.0.0.0/8"), ("fd00::1/64", "fd00::/64")])
def test_the_network_that_was_meant_is_told(wrong: str, network: str) -> None:
    with pytest.raises(
        InvalidRequest, match=rf"^allowed_ips\.0: '{wrong}' has host bits set; .* is {network}$"
    ):
        check_networks([wrong])


@pytest.mark.parametrize(
    ("network", "address", "may"),
    [
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:11.0.0.1", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::/32", "10.0.0.1", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "10.0.0.1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "unix:", False),
    ],
)
def test_an_address_is_in_a_network_or_not(network: str, address: str, may: bool) -> None:
    assert may_come_from(networks_of([network]), address) is may
    assert may_come_from(networks_of(["192.0.2.0/24", network]), address) is may
    assert may_come_from((), address)


def test_a_refusal_names_the_address_and_comes_before_anything_is_counted(admin: Admin) -> None:
    made = admin.create(allowed_ips=["127.0.0.2"], limits={"requests_per_minute": 1})

    for _ in range(2):
        answer = admin.answer(made["key"], source="127.0.0.3")
        assert (answer.status_code, answer.json()["error"]) == (
            403,
            {"type": "permission_error", "message": "This API key may not be used from 127.0.0.3."},
        )

    assert admin.call(made["key"], source="127.0.0.2") == 200


def test_an_admin_key_is_held_to_its_networks_too(door: Door, committed_people: Cast) -> None:
    _, secret = api_keys.create(
        actor=SYSTEM, organization=committed_people.acme, name="Ops", kind="admin", allowed_ips=["127.0.0.2"]
    )

    assert door.ask(key=secret, source="127.0.0.2").status == 200
    message = refused(door.ask(key=secret, source="127.0.0.3"), 403, "permission_error")
    assert message == "This Admin key may not be used from 127.0.0.3."


def test_behind_a_proxy_the_callers_own_address_counts(committed_people: Cast, tmp_path: Path) -> None:
    networks = ["192.0.2.0/24", "2001:db8::/32"]
    _, narrow = api_keys.create(
        actor=SYSTEM, organization=committed_people.acme, name="CI", allowed_ips=networks
    )
    with open_door(tmp_path, GATEWAY_TRUSTED_PROXIES="127.0.0.0/30") as behind:
        admin = Admin(behind, admin_key(committed_people.acme)[1])

        def through(proxy: str, forwarded: str) -> int:
            return admin.call(narrow, source=proxy, forwarded=forwarded)

        assert through("127.0.0.1", "192.0.2.7") == 200
        assert through("127.0.0.1", "::ffff:192.0.2.7") == 200
        assert through("127.0.0.1", "2001:db8::7") == 200
        assert through("127.0.0.1", "198.51.100.1, 192.0.2.7, 127.0.0.2") == 200  # two proxies of ours
        assert (
            through("127.0.0.1", "192.0.2.7, 198.51.100.1") == 403
        )  # the first is only what the caller says
        assert through("127.0.0.1", "") == 403
        assert through("127.0.0.9", "192.0.2.7") == 403  # no proxy of ours


def test_a_list_that_is_cleared_lets_everybody_in_again(admin: Admin) -> None:
    made = admin.create(allowed_ips=["192.0.2.1"])
    assert admin.call(made["key"]) == 403

    assert admin.update(made["id"], allowed_ips=None)["allowed_ips"] == []

    admin.soon(200, made["key"])
    assert ApiKey.objects.get(pk=made["id"]).allowed_ips == []
