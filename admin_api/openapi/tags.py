"""The chapters of the document: one per noun. A path belongs to the chapter that has most of its beginning."""

from __future__ import annotations

ADMIN = "/v1/organizations/"
PLATFORM = "/platform/v1/"
MEMBER_OF = ADMIN + "workspaces/{workspace_id}/"

# Name, how its paths begin, what it is about. The order is the document's.
CHAPTERS = [
    ("Organization", ADMIN + "me", "Which organization a credential belongs to."),
    ("Users", ADMIN + "users", "The members of the organization and their roles."),
    ("Invites", ADMIN + "invites", "Invitations to become a member. They last 21 days."),
    (
        "Workspaces",
        ADMIN + "workspaces",
        "Parts of an organization, with their own keys, limits and reports.",
    ),
    ("Workspace members", MEMBER_OF + "members", "Who works in a workspace, and as what."),
    (
        "Workspace rate limits",
        MEMBER_OF + "rate_limits",
        "Limits that a workspace has below its organization's.",
    ),
    ("Workspace service accounts", MEMBER_OF + "service_accounts", "Machines that work in a workspace."),
    (
        "API keys",
        ADMIN + "api_keys",
        "Keys that call models. Making and rotating them here is this gateway's addition.",
    ),
    ("Service accounts", ADMIN + "service_accounts", "Identities of machines, which keys can act for."),
    ("Rate limits", ADMIN + "rate_limits", "What the organization may use at a time, by group of models."),
    (
        "Limit blocks",
        ADMIN + "limits",
        "Why was I refused: requests that a limit turned away, for seven days. This gateway's addition.",
    ),
    (
        "Spend limit increase requests",
        ADMIN + "spend_limit_increase_requests",
        "Members ask for more; admins approve or deny.",
    ),
    (
        "Spend limits",
        ADMIN + "spend_limits",
        "Amounts per day, week or month that spending is reported against.",
    ),
    ("Webhooks", ADMIN + "webhooks", "Where the organization is told of thresholds that are reached."),
    ("Usage report", ADMIN + "usage_report", "Tokens by time, model, key, workspace and more."),
    ("Cost report", ADMIN + "cost_report", "What was spent, in cents, by day."),
    ("Platform: organizations", PLATFORM + "organizations", "Every organization here. For operator keys."),
    ("Platform: providers", PLATFORM + "providers", "Where requests are sent. For operator keys."),
    (
        "Platform: model groups",
        PLATFORM + "model_groups",
        "Models that are limited together. For operator keys.",
    ),
    (
        "Platform: models",
        PLATFORM + "models",
        "What models are called and who serves them. For operator keys.",
    ),
    (
        "Platform: tiers",
        PLATFORM + "tiers",
        "Sets of limits that organizations are given. For operator keys.",
    ),
    ("Messages", "/v1/messages", "Anthropic's Messages API."),
    ("Message batches", "/v1/messages/batches", "Many requests at once, at half the price."),
    (
        "Chat Completions",
        "/v1/chat/completions",
        "OpenAI's Chat Completions API, for the same models and keys.",
    ),
    ("Responses", "/v1/responses", "OpenAI's Responses API, for the same models and keys."),
    ("Models", "/v1/models", "The models that a key may use."),
    ("Health", "/", "For whoever runs the gateway: no credential, and nothing about tenants."),
]


def tag_of(path: str) -> str:
    """The chapter of a path such as `/v1/organizations/users/{user_id}`. Raises `LookupError` without one."""
    fitting = [
        (len(beginning), name)
        for name, beginning, _ in CHAPTERS[:-1]
        if path == beginning or path.startswith(beginning + "/")
    ]
    if not fitting:
        raise LookupError(f"no chapter of the OpenAPI document holds {path}")
    return max(fitting)[1]
