"""Secrets and prompts stay in their place: nothing stored opens the door, and nothing said shows them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx

from gateway.credentials import new_secret
from tests import upstream as provider
from tests.data_plane.house import PROVIDER_KEY, REFUSED, SCRIPTED, body
from tests.data_plane.wire import Answer, Wire, ask
from tests.outages.site import Site, spooled_bytes, until
from tests.promises.canaries import database_values, sightings, told, valkey_values
from tests.upstream import Close, Hang, Reset, Send, chunk, stream_head

PROMPT = f"the prompt that nobody may keep {secrets.token_hex(16)}"
REPLY = f"the reply that nobody may keep {secrets.token_hex(16)}"
PASSWORD = f"password-{secrets.token_hex(16)}"


def test_nothing_that_is_stored_opens_the_door(site: Site) -> None:
    tenant = site.house.tenant()
    admin = site.house.office.wish("api_key", organization=tenant.name, kind="admin")["secret"]
    assert site.house.post(body(), key=tenant.key).status == 200
    values = {value for value in (*database_values(site), *valkey_values(site)) if 0 < len(value) < 8000}
    tried = sorted({form for value in values for form in _forms_of(value)})
    let_in = asyncio.run(_try_all(site, tried))

    print(f"\n{len(values)} stored values, tried as {len(tried)} keys")
    assert len(tried) > 500
    assert let_in == []
    assert not {tenant.key, admin} & set(tried)


def test_no_secret_and_no_prompt_shows_anywhere(site: Site) -> None:
    tenant = site.house.tenant()
    admin = site.house.office.wish("api_key", organization=tenant.name, kind="admin")["secret"]
    invented = new_secret("api")
    canaries = {
        "API key": tenant.key,
        "Admin key": admin,
        "invented key": invented,
        "provider key": PROVIDER_KEY,
        "prompt": PROMPT,
        "reply": REPLY,
        "password": PASSWORD,
        **{
            name: site.house.environment[name]
            for name in ("SECRET_KEY", "GATEWAY_KEY_PEPPER", "GATEWAY_DATA_ENCRYPTION_KEYS")
        },
    }
    said = _mixed_run(site, tenant.key, admin, invented)
    places = {
        **said,
        **{file.name: file.read_bytes() for file in site.folder.rglob("*.log")},
        "Postgres": "\n".join(database_values(site)).encode(),
        "Valkey": "\n".join(valkey_values(site)).encode(),
        "Valkey's file": b"".join(file.read_bytes() for file in (site.folder / "valkey").rglob("*.aof")),
        "/metrics": site.house.get("/metrics", key="").body,
    }

    found = sightings(canaries, places)
    print(f"\n{len(canaries)} canaries in {sum(map(len, places.values()))} bytes of {len(places)} places")
    assert found == {}
    assert len(places["spool"]) > 0 and b"provider_failed" in places["gateway.log"]


def _mixed_run(site: Site, key: str, admin: str, invented: str) -> dict[str, bytes]:
    """Every way to be answered or refused; what callers were told, and the spool while Valkey was away."""
    house, upstream = site.house, site.house.upstream
    prompt = [{"role": "user", "content": PROMPT}]
    faults = [
        upstream.script(provider.reply(401, provider.error("authentication_error", "bad key"))),
        upstream.script(provider.reply(500, b"<html>trouble</html>", content_type="text/html")),
        upstream.script(Reset()),
        upstream.script(provider.reply(200, b"{garbage")),
        upstream.script(
            Send(stream_head() + chunk(provider.frames()[0]) + chunk(b"data: {garbage\n\n")), Close()
        ),
        upstream.script(Send(stream_head() + chunk(provider.frames()[0])), Reset()),
    ]
    good = upstream.script(provider.reply(200, provider.message(REPLY)))
    answers: list[Answer] = []

    def post(raw: bytes | dict[str, object], who: str = key, path: str = "/v1/messages") -> None:
        answers.append(house.post(raw, key=who, path=path, source=house.stranger()))

    for script in faults:
        for stream in (False, True):
            post(body(script=script, stream=stream, system=PROMPT))
    post(body(REFUSED, messages=prompt))
    post(body("claude-unknown", messages=prompt))
    post({"model": SCRIPTED, "max_tokens": PROMPT, "messages": prompt})
    post({"model": SCRIPTED, "max_tokens": 10, "messages": PROMPT})
    post({"model": SCRIPTED, "max_tokens": 10, "messages": prompt, "stream": PROMPT})
    post(b'{"model": "' + PROMPT.encode() + b'"')
    post(b'{"messages": "\xff' + PROMPT.encode() + b'"}')
    post(body(messages=prompt), "", f"/v1/messages?key={key}")
    for who in (admin, invented, key[:-1] + "!", key + key):
        post(body(messages=prompt), who)
    post(body(messages=prompt), key, f"/v1/nothing/{key}")
    post(body(messages=prompt), key, f"/nothing/{key}?x={admin}")
    for header in ("anthropic-version", "anthropic-workspace-id", "anthropic-beta"):
        answers.append(house.post(body(), key=key, headers=[(header, admin)]))
    _sign_in(site)
    asyncio.run(_leave_within(site, key))
    house.post(body(script=good, messages=[*prompt, {"role": "user", "content": good}]), key=key)
    spool = _while_stores_are_away(site, key, invented, answers)
    return {"replies": b"".join(told(answer) for answer in answers), "spool": spool}


def _while_stores_are_away(site: Site, key: str, invented: str, answers: list[Answer]) -> bytes:
    site.valkey.freeze()
    site.postgres.freeze()
    try:
        answers.append(site.house.post(body(messages=[{"role": "user", "content": PROMPT}]), key=key))
        answers.append(site.house.post(body(), key=new_secret("api"), source=site.house.stranger()))
        data = Path(site.house.environment["DATA_DIR"])
        until(lambda: spooled_bytes(data) > 0, 5)
        return b"".join(file.read_bytes() for file in (data / "spool").glob("*.journal"))
    finally:
        site.postgres.thaw()
        site.valkey.thaw()


def _sign_in(site: Site) -> None:
    """A wrong password, and a form that does not hold."""
    with httpx.Client(base_url=site.house.base_url) as browser:
        page = browser.get("/login")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None, page.text[:500]
        form = {"csrfmiddlewaretoken": token[1], "login": "ada@example.com", "email": "ada@example.com"}
        refused = browser.post("/login", data={**form, "password": PASSWORD})
        assert refused.status_code in (200, 400, 401, 403, 422) and PASSWORD not in refused.text
        assert PASSWORD not in browser.post("/login", data={"password": PASSWORD}).text
        for link in ("/reset/", "/invites/"):
            assert browser.get(f"{link}{PASSWORD}").status_code in (404, 410)


async def _leave_within(site: Site, key: str) -> None:
    script = site.house.upstream.script(Send(stream_head() + chunk(provider.frames()[0])), Hang())
    wire, answer = await Wire.connect(site.house.port), Answer()
    await wire.send(site.house.message(body(script=script, stream=True, system=PROMPT), key=key))
    await wire.read_head(answer)
    wire.reset()


async def _try_all(site: Site, keys: list[str]) -> list[str]:
    """Each value as either header, from addresses that have not guessed too often yet."""
    let_in = []
    source = ""
    for number, key in enumerate(keys):
        if number % 8 == 0:
            source = site.house.stranger()
        for header in (("x-api-key", key), ("authorization", f"Bearer {key}")):
            raw = site.house.message(body(), key="", headers=[header])
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                answer = await ask(site.house.port, raw, source=source)
                if answer.status != 401:
                    let_in.append(f"{key[:60]} {answer.status}")
    return let_in


def _forms_of(value: str) -> Iterator[str]:
    """A stored value as somebody might send it."""
    single = value.strip()
    if single.isprintable() and single.isascii():
        yield single
        yield f"sk-gw-api01-{single}"
    if single.startswith("\\x"):
        raw = bytes.fromhex(single[2:])
        yield from (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode())
        yield "sk-gw-api01-" + base64.urlsafe_b64encode(raw).decode().rstrip("=")
