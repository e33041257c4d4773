"""Every page that is looked at in a browser: both themes, both widths (`test_browser.py`)."""

from __future__ import annotations

ADA, MALLORY, NORA = "ada@example.com", "mallory@example.com", "nora@example.com"
# Name of the page, who looks at it, its address: `{name}` is an id that `stage.py` tells, a word alone a link of its.
PAGES: list[tuple[str, str | None, str]] = [
    ("sign-in", None, "/login"),
    ("overview-24h", ADA, "/"),
    ("overview-7d", ADA, "/?range=7d"),
    ("overview-30d", ADA, "/?range=30d"),
    ("overview-empty", MALLORY, "/"),
    ("usage", ADA, "/usage"),
    ("usage-by-model", ADA, "/usage?range=30d&group=model&compare=1"),
    ("usage-by-key-last-hour", ADA, "/usage?range=1h&group=api_key"),
    ("usage-empty", MALLORY, "/usage"),
    ("limits", ADA, "/limits"),
    ("batches", ADA, "/batches"),
    ("batches-empty", MALLORY, "/batches"),
    ("batch-running", ADA, "/batches/{running}"),
    ("batch-canceling", ADA, "/batches/{canceling}"),
    ("batch-ended", ADA, "/batches/{ended}"),
    ("quickstart-python", ADA, "/quickstart"),
    ("quickstart-curl", MALLORY, "/quickstart?tab=curl"),
    ("quickstart-claude-code", ADA, "/quickstart?tab=claude-code"),
    ("search", ADA, "/search"),
    ("search-nothing", ADA, "/search?q=zebra"),
    ("no-organization", NORA, "/"),
    ("not-found", ADA, "/nowhere"),
    ("not-found-anonymous", None, "/nowhere"),
    ("invite", None, "new_invite"),
    ("invite-known", None, "known_invite"),
    ("invite-somebody-else", ADA, "new_invite"),
    ("invite-gone", None, "/invites/nothing"),
    ("reset", None, "reset"),
    ("reset-gone", None, "/reset/nothing"),
    ("reference", None, "/docs"),
    ("reference-search", None, "/docs?q=role"),
    ("reference-nothing", None, "/docs?q=zebra"),
    ("reference-api-keys", None, "/docs/api-keys"),
    ("reference-messages", ADA, "/docs/messages"),
    ("reference-gone", None, "/docs/nowhere"),
]
