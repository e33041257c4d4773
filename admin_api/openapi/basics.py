"""What all operations have in common, for the document and for the pages made of it."""

from __future__ import annotations

from admin_api.versions import DEFAULT_VERSION, VERSIONS

BASICS = (
    (
        "Credentials",
        "A key in `x-api-key`, or as `Authorization: Bearer`. Model APIs take API keys, the Admin API takes Admin keys "
        "or the session of an admin (with `X-CSRFToken` for changes), the platform API takes operator keys.",
    ),
    (
        "Version",
        f"`anthropic-version` is {' or '.join(f'`{one}`' for one in VERSIONS)}. "
        f"Without one it is `{DEFAULT_VERSION}`.",
    ),
    (
        "Changes",
        "POST with a JSON object. A field that is left out stays as it is; one that does not exist is refused.",
    ),
    (
        "Lists",
        "Newest first. Some are walked with `after_id` and `before_id`, others with `page`, which takes the "
        "`next_page` of the answer before.",
    ),
    (
        "Errors",
        '`{"type": "error", "error": {"type", "message", "details"?}, "request_id"}`. What belongs to another '
        "organization is a 404, as what does not exist.",
    ),
)


def written() -> str:
    """As Markdown: a paragraph for each, with its name in bold."""
    return "\n\n".join(f"**{name}** {words}" for name, words in BASICS)
