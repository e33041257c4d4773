"""What one workspace used within some days, by model and by key."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Literal

from django.db.models import F, Sum

from gateway.models import UsageDay, Workspace

By = Literal["model", "api_key_id"]


@dataclasses.dataclass(frozen=True)
class Used:
    """`what` is a model's name or a key's id; `cost` is in US dollars."""

    what: str
    requests: int
    tokens: int
    cost: Decimal


def used_by(workspace: Workspace, by: By, *, start: datetime.datetime, end: datetime.datetime) -> list[Used]:
    """The dearest first. Both times are midnights in UTC, `end` exclusive."""
    rows = UsageDay.objects.filter(
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        bucket__gte=start,
        bucket__lt=end,
    )
    tokens = Sum(
        F("input_tokens")
        + F("cache_read_tokens")
        + F("cache_write_5m_tokens")
        + F("cache_write_1h_tokens")
        + F("output_tokens")
    )
    sums = rows.values_list(by).annotate(sent=Sum("requests"), tokens=tokens, spent=Sum("cost"))
    return [Used(*row) for row in sums.order_by("-spent", by)]
