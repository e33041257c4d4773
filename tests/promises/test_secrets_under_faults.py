"""Secrets and prompts stay in their place also where things break: garbage, crashes, faults of our own, lost stores."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import psutil

from gateway.credentials import new_secret
from tests import openai_provider
from tests import upstream as provider
from tests.data_plane.house import PROVIDER_KEY, SCRIPTED, TRANSLATED, VERSION, Gateway, body
from tests.data_plane.wire import Answer, Wire, ask, request
from tests.event_loop_thread import EventLoopThread
from tests.outages.site import Site, until
from tests.promises.canaries import database_values, sightings, told, valkey_values
from tests.upstream import Close, Hang, Script, Send, chunk, stream_head

PROMPT = f"the prompt that nobody may keep {secrets.token_hex(16)}"
REPLY = f"the reply that nobody may keep {secrets.token_hex(16)}"
MAIL_PASSWORD = f"mail-password-{secrets.token_hex(16)}"
ECHO = f"{PROVIDER_KEY} was sent with: {PROMPT}"
POINTS = ("authenticate", "secret", "digest", "cached", "principal", "rows", "row", "usable", "workspace")


def test_nothing_that_breaks_shows_a_secret_or_a_prompt(site: Site, faulty: Gateway) -> None:
    tenant = site.house.tenant()
    admin = site.house.office.wish("api_key", organization=tenant.name, kind="admin")["secret"]
    own = {
        "API key": tenant.key,
        "Admin key": admin,
        "provider key": PROVIDER_KEY,
        "mail password": MAIL_PASSWORD,
        **{
            name: site.house.environment[name]
            for name in ("SECRET_KEY", "GATEWAY_KEY_PEPPER", "GATEWAY_DATA_ENCRYPTION_KEYS")
        },
    }

    echoed = _of_echoing_providers(site, tenant.key)
    with _refusing_mail() as (server, url), _running(site, "crashing", EMAIL_URL=url) as gateway:
        mailed = _of_a_mail_server_that_refuses(site, gateway, server, admin)
        files, command_lines = _of_a_crash(site, gateway, tenant.key)
    answers = [*_of_faults_of_our_own(site, faulty, tenant.key), *_of_lost_stores(site, tenant.key)]

    spoken = {"replies": _bytes(answers), "replies about mail": _bytes(mailed)}
    kept = {
        **{str(file.relative_to(site.folder)): file.read_bytes() for file in _files(site)},
        **files,
        "Postgres": "\n".join(database_values(site)).encode(),
        "Valkey": "\n".join(valkey_values(site)).encode(),
        "/metrics": site.house.get("/metrics", key="").body,
        "command lines": command_lines,
    }
    print(f"\n{len(kept)} places of {sum(map(len, kept.values()))} bytes")
    assert sightings({**own, "prompt": PROMPT, "reply": REPLY}, kept | spoken) == {}
    assert sightings(own, {"echoes": _bytes(echoed)}) == {}, "the provider's words gave its key away"
    assert any(b"Traceback" in content or b'"exception"' in content for content in kept.values())


def _of_echoing_providers(site: Site, key: str) -> list[Answer]:
    """A provider that says what it was sent, in errors and in garbage."""
    script = site.house.upstream.script
    begun = Send(stream_head() + chunk(provider.frames()[0]))
    broken: list[Script] = [
        *(
            provider.reply(status, provider.error("api_error", ECHO))
            for status in (400, 401, 402, 403, 404, 413, 429, 500, 529)
        ),
        *(provider.reply(status, openai_provider.error(ECHO)) for status in (400, 401, 403, 429, 500)),
        provider.reply(500, f"<html>{ECHO}</html>".encode(), content_type="text/html"),
        provider.reply(200, f"{{garbage {ECHO}".encode()),
        provider.reply(200, f'{{"type": "message", "content": "{REPLY}"}}'.encode()),
        [begun, Send(chunk(f"data: {{garbage {REPLY}\n\n".encode())), Close()],
        [begun, Send(chunk(f"event: {REPLY}\ndata: {{}}\n\n".encode())), Close()],
        [begun, Send(chunk(f'data: {{"type": "{REPLY}", "index": "{PROMPT}"}}\n\n'.encode())), Close()],
        [begun, Send(f"{REPLY}\r\n".encode()), Close()],
        [Send(f"HTTP/1.1 {REPLY}\r\n{PROMPT}\r\n\r\n".encode()), Close()],
    ]
    return [
        site.house.post(body(model, script(steps), stream=stream, system=PROMPT), key=key)
        for steps in broken
        for model in (SCRIPTED, TRANSLATED)
        for stream in (False, True)
    ]


@contextlib.contextmanager
def _refusing_mail() -> Iterator[tuple[asyncio.Server, str]]:
    """A mail server that takes no password, and its address with one."""
    thread = EventLoopThread("mail")
    try:
        server = thread.run(asyncio.start_server(_refuse_mail, "127.0.0.1", 0))
        port = server.sockets[0].getsockname()[1]
        yield server, f"smtp://gateway:{MAIL_PASSWORD}@127.0.0.1:{port}"
    finally:
        thread.stop()


def _of_a_mail_server_that_refuses(
    site: Site, gateway: Gateway, server: asyncio.Server, admin: str
) -> list[Answer]:
    """An invitation whose mail cannot be sent: the server takes no such password, and then there is none."""
    answers = []
    for number in range(2):
        invited = f'{{"email": "guest-{number}@example.com", "role": "user"}}'.encode()
        headers = [VERSION, ("x-api-key", admin), ("content-type", "application/json")]
        raw = request("POST", "/v1/organizations/invites", headers, invited)
        answers.append(asyncio.run(ask(gateway.port, raw)))
        server.close()
    assert b"mail" in gateway.log.read_bytes(), "nothing was said of the mail that was not sent"
    return answers


async def _refuse_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com\r\n")
    while line := await reader.readline():
        said = line.upper()
        if said.startswith(b"EHLO"):
            writer.write(b"250-mail.example.com\r\n250 AUTH PLAIN LOGIN\r\n")
        elif said.startswith(b"QUIT"):
            writer.close()
            return
        else:
            writer.write(b"535 5.7.8 not you\r\n")


def _of_faults_of_our_own(site: Site, faulty: Gateway, key: str) -> list[Answer]:
    """Exceptions where nobody expects them, from a key to its holder and in the translator."""
    answers = []
    prompt = [{"role": "user", "content": PROMPT}]
    fault = site.folder / "faulty" / "fault"
    for point in POINTS:
        for kind in ("RuntimeError", "OperationalError"):
            fault.write_text(f"{point} {kind}")
            answers.append(_post(site, faulty, body(messages=prompt), key))
            answers.append(_post(site, faulty, body(messages=prompt), new_secret("api")))
    fault.unlink()
    breaks = site.house.upstream.script(provider.reply(200, {"choices": f"break here {REPLY}"}))
    with _running(site, "translator", module="tests.data_plane.faulty_translator") as gateway:
        for stream in (False, True):
            asked = body(TRANSLATED, breaks, system=PROMPT, stream=stream)
            answers.append(_post(site, gateway, asked, key))
    return answers


def _of_lost_stores(site: Site, key: str) -> list[Answer]:
    """Both stores killed, for those who are known and those who are not, until they are back."""
    asked = body(messages=[{"role": "user", "content": PROMPT}])
    site.postgres.kill()
    site.valkey.kill()
    try:
        answers = [
            site.house.post(asked, key=one, source=site.house.stranger())
            for one in (key, new_secret("api"), key)
        ]
    finally:
        site.postgres.start()
        site.valkey.start()
    until(lambda: site.house.get("/readyz", key="").status == 200, 20)
    until(lambda: site.house.post(asked, key=key).status == 200, 20)
    return answers


def _of_a_crash(site: Site, gateway: Gateway, key: str) -> tuple[dict[str, bytes], bytes]:
    """A process killed within answers: what it left on the disk, and how it was called."""
    script = site.house.upstream.script(Send(stream_head() + chunk(provider.frames()[0])), Hang())
    raw = site.house.message(body(script=script, stream=True, system=PROMPT), key=key)
    asyncio.run(_begin(gateway, raw))
    family = [psutil.Process(gateway.pid), *psutil.Process(gateway.pid).children(recursive=True)]
    command_lines = "\n".join(" ".join(process.cmdline()) for process in family).encode()
    gateway.kill()
    gateway.wait(5)
    left = [file for file in (site.folder / "crashing").rglob("*") if file.is_file()]
    return {f"after the crash: {file.name}": file.read_bytes() for file in left}, command_lines


async def _begin(gateway: Gateway, raw: bytes) -> None:
    wire = await Wire.connect(gateway.port)
    await wire.send(raw)
    await wire.read_head(Answer())


def _post(site: Site, gateway: Gateway, asked: dict[str, object], key: str) -> Answer:
    raw = site.house.message(asked, key=key)
    with contextlib.suppress(asyncio.IncompleteReadError):
        return asyncio.run(ask(gateway.port, raw, source=site.house.stranger()))
    return Answer()


@contextlib.contextmanager
def _running(site: Site, name: str, module: str = "gateway.server", **environment: str) -> Iterator[Gateway]:
    gateway = site.gateway(name, module=module, **environment)
    try:
        gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.close()


def _files(site: Site) -> list[Path]:
    """Logs, what waits on disk, and what Valkey wrote; PostgreSQL's own files are asked through itself."""
    kept = [file for file in site.folder.rglob("*") if file.is_file() and not file.is_socket()]
    return [file for file in kept if site.database.data not in file.parents]


def _bytes(answers: list[Answer]) -> bytes:
    return b"\n".join(told(answer) for answer in answers)
