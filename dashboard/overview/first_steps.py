"""The three steps to a first answered request, and which of them are done."""

from __future__ import annotations

import dataclasses

from django.db import connection

from dashboard.frame.navigation import MAKE_KEYS
from dashboard.frame.place import Place
from dashboard.overview.usage import Usage
from gateway.models import ApiKey


@dataclasses.dataclass(frozen=True)
class Step:
    """`page` names the URL of where it is done, empty where this person does not do it."""

    title: str
    words: str
    done: bool
    page: str = ""


def steps(place: Place, used: Usage) -> list[Step]:
    """None of them once a request was answered."""
    if used.ever and _answered(place):
        return []
    keys = ApiKey.objects.filter(organization=place.organization, kind=ApiKey.Kind.API)
    return [
        Step(
            "Create an API key",
            "An admin or developer makes it; its secret is shown once.",
            keys.exists(),
            "create_api_key" if place.role in MAKE_KEYS else "",
        ),
        Step(
            "Send a request",
            "With an SDK, curl or Claude Code, at this gateway's address.",
            used.ever,
            "quickstart",
        ),
        Step("Read its answer", "Usage and cost appear here within seconds.", False),
    ]


def _answered(place: Place) -> bool:
    sql = "SELECT EXISTS (SELECT FROM usage_day WHERE organization_id = %s AND requests > errors)"
    with connection.cursor() as cursor:
        cursor.execute(sql, [place.organization.id])
        ((answered,),) = cursor.fetchall()
    return bool(answered)
