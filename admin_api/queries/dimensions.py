"""What usage is told apart by: the same columns group and filter the Admin API's reports, the pages and their files.

All are SQL expressions over `total`, a row of a rollup, and `key`, the key that it is of; see `KEYS`.
"""

from __future__ import annotations

import dataclasses

from gateway.models.identifiers import PLAYGROUND_KEY

NOT_AVAILABLE = "not_available"


@dataclasses.dataclass(frozen=True)
class Dimension:
    """Rows are grouped and sorted by `column`; the Admin API shows `shown` of it."""

    column: str
    shown: str


DEFAULT_WORKSPACE = (
    "(SELECT id FROM gateway_workspace WHERE organization_id = %(organization_id)s AND is_default)"
)
WORKSPACE = Dimension("total.workspace_id", f"nullif(total.workspace_id, {DEFAULT_WORKSPACE})")
# As Anthropic's reports say it of what was used in its own console: by no key. Pages know the key, and whose it is.
API_KEY = f"CASE WHEN starts_with(total.api_key_id, '{PLAYGROUND_KEY}_') THEN NULL ELSE total.api_key_id END"
GEO = f"coalesce(nullif(total.inference_geo, ''), '{NOT_AVAILABLE}')"


def _plain(column: str) -> Dimension:
    return Dimension(column, column)


# In the order of the fields of `UsageResult`. Whom a key acts for never changes, so that it is joined when read.
GROUPS = {
    "api_key_id": _plain(API_KEY),
    "workspace_id": WORKSPACE,
    "model": _plain("total.model"),
    "service_tier": _plain("total.service_tier"),
    "context_window": _plain("total.context_window"),
    "inference_geo": _plain(GEO),
    "account_id": _plain("key.user_id"),
    "service_account_id": _plain("key.service_account_id"),
}
# Each a list of values in the query, and what has to be among them.
FILTERS = {
    "api_key_ids": "total.api_key_id",
    "workspace_ids": "total.workspace_id",
    "models": "total.model",
    "service_tiers": "total.service_tier",
    "context_window": "total.context_window",
    "inference_geos": GEO,
    "account_ids": "key.user_id",
    "service_account_ids": "key.service_account_id",
}
KEYS = (
    " LEFT JOIN gateway_apikey AS key"
    " ON key.id = total.api_key_id AND key.organization_id = total.organization_id"
)
