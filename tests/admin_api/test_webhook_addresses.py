"""No address that an organization names leads us anywhere but to the internet: not when saved, not when called."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from django.test import Client

from admin_api.webhook_addresses import Resolver, checked_address, is_public, literal_address
from admin_api.webhook_client import NotDelivered, WebhookClient
from gateway.models import WebhookEndpoint
from tests.admin_api.door import admin_key
from tests.admin_api.webhook_receiver import HOST, PUBLIC, Network, Receiver
from tests.people import Cast

# What a host may stand for, and what no host may resolve to.
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
# Addresses that are refused as they are written.
WRONG = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://hooks.example.com/",
    "hooks.example.com/",
    "//hooks.example.com/",
    "https:hooks.example.com",
    "https://",
    "https:///path",
    "https://user@hooks.example.com/",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1@hooks.example.com/",
    "https://@127.0.0.1/",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com#@127.0.0.1/",
    "https://localhost/",
    "https://LOCALHOST:8443/",
    "https://gateway/",
    "https://redis.internal/",
    "https://db.local/",
    "https://x.localhost/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://router.home.arpa/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://1.2.3.4.5/",
    "https://127.0.0.1./",
    "https://[::1%25lo]/",
    "https://[::1/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:x/",
    "https://hooks.example.com /",
    "https://hooks.example.com/\r\nHost: 127.0.0.1",
    "https://hooks.example.com/\tx",
    "https://127.0.0.1%2f@hooks.example.com/",
    "https://127%2e0%2e0%2e1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://-.example.com/",
    f"https://hooks.example.com/{'x' * 2000}",
]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def network(receiver: Receiver) -> Network:
    receiver.requests.clear()
    return Network(receiver)


def post(network: Network, receiver: Receiver, url: str, resolve: Resolver, seconds: float = 5) -> None:
    client = WebhookClient(resolve=resolve, network=network, trust=receiver.trust, seconds=seconds)
    asyncio.run(client.post(url, {"x-told": "1"}, b"{}"))


def to(*addresses: str) -> Resolver:
    return lambda host: addresses


def as_url(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


# --- When it is saved ---


@pytest.mark.parametrize("url", WRONG + [as_url(address) for address in PRIVATE])
def test_an_address_that_is_not_public_is_not_taken(url: str) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        checked_address(url, to(PUBLIC))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_something_private_is_not_taken(address: str) -> None:
    for resolve in (to(address), to(PUBLIC, address)):
        with pytest.raises(ValueError, match="expected an address on the internet"):
            checked_address(f"https://{HOST}/", resolve)


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}/",
        f"https://{HOST}",
        f"https://{HOST.upper()}:8443/a/b?c=d&e=%20",
        "https://xn--bcher-kva.example/",
        "https://1.1.1.1/hook",
        "https://[2606:4700:4700::1111]:443/hook",
    ],
)
def test_an_address_on_the_internet_is_taken_as_it_is(url: str) -> None:
    assert checked_address(url, to(PUBLIC)) == url


def test_a_name_that_nobody_knows_yet_is_taken() -> None:
    def unknown(host: str) -> Sequence[str]:
        raise OSError("Name or service not known")

    assert checked_address(f"https://{HOST}/", unknown) == f"https://{HOST}/"


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e"])
def test_addresses_on_the_internet_are_public(address: str) -> None:
    found = literal_address(address)

    assert found is not None
    assert is_public(found)


def test_the_api_refuses_such_an_address_by_the_name_of_its_field(people: Cast) -> None:
    client = Client(headers={"x-api-key": admin_key(people.acme)[1]})
    body = {"url": "https://169.254.169.254/latest", "enabled_events": ["spend_limit.threshold_reached"]}

    refused = client.post("/v1/organizations/webhooks", body, content_type="application/json")

    assert refused.status_code == 400
    expected = "url: expected an address on the internet, not one of a private network"
    assert refused.json()["error"]["message"] == expected
    assert not WebhookEndpoint.objects.exists()


# --- When it is called ---


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_private_is_connected_to(network: Network, receiver: Receiver, address: str) -> None:
    """Neither by its number nor by a name, also where the name has a public address as well."""
    tries = [
        (as_url(address), to(address)),
        (f"https://{HOST}/", to(address)),
        (f"https://{HOST}/", to(PUBLIC, address)),
    ]
    for url, resolve in tries:
        with pytest.raises(NotDelivered, match="not public"):
            post(network, receiver, url, resolve)

    assert network.connected == receiver.requests == []


@pytest.mark.parametrize(
    "url", ["https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://localhost/"]
)
def test_other_spellings_lead_nowhere_either(network: Network, receiver: Receiver, url: str) -> None:
    """As the system's own resolver reads them; rows of before this check, say."""
    client = WebhookClient(network=network, trust=receiver.trust)

    with pytest.raises(NotDelivered):
        asyncio.run(client.post(url, {}, b"{}"))

    assert network.connected == []


def test_a_name_that_changes_its_meaning_is_caught_at_the_connection(
    network: Network, receiver: Receiver
) -> None:
    """Rebinding: public when asked first, private from then on; what was checked is what is connected to."""
    answers = [[PUBLIC], [PUBLIC], ["127.0.0.1"], ["169.254.169.254"]]
    asked = []

    def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    checked_address(f"https://{HOST}/", rebinding)
    post(network, receiver, f"https://{HOST}/", rebinding)
    for _ in range(2):
        with pytest.raises(NotDelivered, match="not public"):
            post(network, receiver, f"https://{HOST}/", rebinding)

    assert asked == [HOST] * 4
    assert network.connected == [(PUBLIC, 443)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(network: Network, receiver: Receiver, status: int) -> None:
    receiver.answers.append(
        f"HTTP/1.1 {status} Moved\r\nlocation: https://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".encode()
    )

    with pytest.raises(NotDelivered, match=f"the receiver answered {status}"):
        post(network, receiver, f"https://{HOST}/", to(PUBLIC))

    assert len(network.connected) == len(receiver.requests) == 1


def test_the_proxy_of_the_environment_is_not_used(
    network: Network, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")

    post(network, receiver, f"https://{HOST}:8443/hook?x=1", to(PUBLIC))

    assert network.connected == [(PUBLIC, 8443)]
    ((headers, body),) = receiver.requests
    assert (headers["request"], headers["host"], headers["x-told"], body) == (
        "POST /hook?x=1 HTTP/1.1",
        f"{HOST}:8443",
        "1",
        b"{}",
    )


def test_the_certificate_has_to_be_of_the_name(network: Network, receiver: Receiver) -> None:
    with pytest.raises(NotDelivered, match="certificate is refused: Hostname mismatch"):
        post(network, receiver, "https://other.example.com/", to(PUBLIC))

    assert receiver.requests == []


def test_the_next_address_is_tried_where_one_is_away(network: Network, receiver: Receiver) -> None:
    network.away = {"2606:4700:4700::1111"}

    post(network, receiver, f"https://{HOST}/", to("2606:4700:4700::1111", PUBLIC))

    assert network.connected == [("2606:4700:4700::1111", 443), (PUBLIC, 443)]


def test_a_receiver_that_says_nothing_is_not_waited_for(network: Network, receiver: Receiver) -> None:
    receiver.silent = True
    try:
        with pytest.raises(NotDelivered, match=r"no answer within 0\.3 s"):
            post(network, receiver, f"https://{HOST}/", to(PUBLIC), seconds=0.3)
    finally:
        receiver.silent = False
