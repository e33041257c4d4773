"""A line of the logs: the attempt that a request ended with, or that a limit turned it away; with names to read."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """`refused` requests met a limit and have no figures. `attempt` counts the providers that were tried.

    `id` and `at` are the place in the order: an attempt's id, or a refused request's. Names are empty where what
    they name is gone. `latency_ms` and the other times count from the beginning of the request.
    """

    at: datetime.datetime
    id: str
    refused: bool
    request_id: str
    workspace_id: str
    api_key_id: str
    endpoint: str
    attempt: int
    model_requested: str
    model: str
    provider: str
    upstream_model: str
    stream: bool | None
    status: int
    error_type: str
    stop_reason: str
    usage_source: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    web_search_requests: int
    service_tier: str
    inference_geo: str
    price_version: int | None
    cost: Decimal
    latency_ms: int | None
    time_to_first_token_ms: int | None
    checked_ms: int | None
    admitted_ms: int | None
    user_agent: str
    session_id: str
    key_name: str
    workspace_name: str
    member: str

    @property
    def place(self) -> tuple[datetime.datetime, str]:
        return self.at, self.id

    @property
    def input_total(self) -> int:
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )

    @property
    def tokens(self) -> int:
        return self.input_total + self.output_tokens

    @property
    def failed(self) -> bool:
        return self.status >= 400


_OF_ATTEMPTS = (
    "row.at, row.attempt_id::text, false, row.request_id, row.workspace_id, row.api_key_id, row.endpoint,"
    " row.attempt, row.model_requested, row.model, row.provider, row.upstream_model, row.stream,"
    " row.status, row.error_type, row.stop_reason, row.usage_source, row.input_tokens,"
    " row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens, row.output_tokens,"
    " row.web_search_requests, row.service_tier, row.inference_geo, row.price_version, row.cost,"
    " row.latency_ms, row.time_to_first_token_ms, row.checked_ms, row.admitted_ms, row.user_agent, row.session_id"
)
# What a refusal was answered with, by its kind: `gateway.errors.RateLimited`, `SpendLimitReached`, `OutOfCredit`.
REFUSED_STATUS = "CASE WHEN row.kind = 'credit' THEN 402 ELSE 429 END"
REFUSED_TYPE = "CASE WHEN row.kind = 'rate_limit' THEN 'rate_limit_error' ELSE 'billing_error' END"
_OF_REFUSALS = (
    "row.at, row.request_id, true, row.request_id, row.workspace_id, row.api_key_id, row.endpoint, 0, row.model,"
    f" row.model, '', '', NULL::boolean, {REFUSED_STATUS}, {REFUSED_TYPE}, '', '', 0, 0, 0, 0, 0, 0, '', '',"
    " NULL::bigint, 0::numeric, NULL::integer, NULL::integer, NULL::integer, NULL::integer, '', ''"
)
_NAMES = (
    "coalesce(key.name, ''), coalesce(workspace.name, ''),"
    " coalesce(nullif(person.name, ''), person.email, robot.name, '')"
)
_NAMED = (
    " LEFT JOIN gateway_apikey AS key"
    " ON key.id = row.api_key_id AND key.organization_id = row.organization_id"
    " LEFT JOIN gateway_workspace AS workspace"
    " ON workspace.id = row.workspace_id AND workspace.organization_id = row.organization_id"
    " LEFT JOIN gateway_user AS person ON person.id = key.user_id"
    " LEFT JOIN gateway_serviceaccount AS robot ON robot.id = key.service_account_id"
)


def of_attempts(rows: str, first: str = "") -> str:
    """A statement that makes entries of these rows of `usage_event`; it goes on with an ORDER BY over `row`.

    `first` are columns that come before an entry's, each with its comma.
    """
    return f"SELECT {first}{_OF_ATTEMPTS}, {_NAMES} FROM ({rows}) AS row{_NAMED}"


def of_refusals(rows: str, first: str = "") -> str:
    """The same of rows of `limit_block`."""
    return f"SELECT {first}{_OF_REFUSALS}, {_NAMES} FROM ({rows}) AS row{_NAMED}"
