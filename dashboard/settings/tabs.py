"""The parts of Settings: those about oneself, and for admins those of the organization."""

from __future__ import annotations

import dataclasses

from django.http import HttpRequest

from dashboard.frame.place import place_of


@dataclasses.dataclass(frozen=True)
class Tab:
    label: str
    url: str
    current: bool


OWN = (("You", "settings"), ("Security", "security"))
ORGANIZATION = (
    ("Organization", "organization_settings"),
    ("Single sign-on", "sso"),
    ("Webhooks", "webhooks"),
)


def tabs(request: HttpRequest, current: str) -> list[Tab]:
    place = place_of(request)
    shown = OWN + (ORGANIZATION if place is not None and place.is_admin else ())
    return [Tab(label, url, url == current) for label, url in shown]
