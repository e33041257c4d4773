"""Which requests of an organization a limit turned away, and why."""

from __future__ import annotations

import datetime

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import NullIf

from gateway.models import LimitBlock, ModelGroup, Organization, Workspace


def limit_blocks(organization: Organization, **wanted: object) -> QuerySet[LimitBlock]:
    """With `wanted` those of this `request_id`, `api_key_id` and `workspace_id`.

    As in reports, `shown_workspace_id` is null for the default workspace, and what belongs to others is not found.
    `group_name` is how people know the group of models, and null where there is none (any more).
    """
    default = Workspace.objects.filter(organization=organization, is_default=True).values("id")
    found = LimitBlock.objects.filter(organization_id=organization.id, **wanted)
    group = ModelGroup.objects.filter(name=OuterRef("pool")).values("display_name")
    return found.annotate(
        shown_workspace_id=NullIf(F("workspace_id"), Subquery(default[:1])), group_name=Subquery(group[:1])
    )


def blocked_requests(
    organization: Organization, since: datetime.datetime, **wanted: object
) -> dict[tuple[str, str], int]:
    """How often each limit turned a request away since then, by its pool and its limiter; `wanted` as above."""
    found = LimitBlock.objects.filter(organization_id=organization.id, at__gte=since, **wanted)
    counted = found.values_list("pool", "limiter").annotate(blocked=Count("id")).order_by()
    return {(pool, limiter): blocked for pool, limiter, blocked in counted}
