"""What `docs/admin-api.md` shows runs as it stands there, from top to bottom, with an address and a key in place."""

from __future__ import annotations

import contextlib
import io
import re

from gateway.configuration import PROJECT_DIR
from gateway.models import ApiKey, Membership, SpendLimit, Workspace
from tests.admin_api.door import Door, admin_key
from tests.people import Cast

TEXT = (PROJECT_DIR / "docs" / "admin-api.md").read_text()


def code_of(language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


def test_the_examples_run(door: Door, committed_people: Cast) -> None:
    _, secret = admin_key(committed_people.acme)
    code = code_of("python").replace("http://127.0.0.1:8000", door.base_url)
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        exec(compile(code.replace("YOUR_ADMIN_KEY", secret), "docs/admin-api.md", "exec"), {})

    assert printed.getvalue().startswith("Acme\n")
    assert "dev@example.com developer" in printed.getvalue()
    assert Membership.objects.get(user=committed_people.dev).role == "user"
    workspace = Workspace.objects.get(name="Production")
    key = ApiKey.objects.get(name="checkout service")
    assert (key.workspace, key.status, key.allowed_models) == (workspace, "inactive", ["claude-*"])
    assert f"{key.id} checkout service {key.hint}" in printed.getvalue()
    assert "\nrequests_per_minute 30 " in printed.getvalue()
    assert "\ndev@example.com 0 of 50000 organization\n" in printed.getvalue()
    assert SpendLimit.objects.get(user=committed_people.dev).amount == 80_000


def test_the_error_that_is_shown_is_one_of_ours(door: Door, committed_people: Cast) -> None:
    _, secret = admin_key(committed_people.acme)

    answer = door.ask(
        "POST",
        f"/v1/organizations/users/{committed_people.dev.id}",
        key=secret,
        headers=[("content-type", "application/json")],
        body=b'{"role": "owner"}',
    )

    shown = code_of("json").replace("req_...", answer.json["request_id"])
    assert (answer.status, " ".join(shown.split())) == (400, answer.body.decode())
