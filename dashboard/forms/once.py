"""Forms that make something once: what is sent again, by a reload or the back button, makes nothing more.

Each form carries a random word; the session remembers which words made what. It knows ids, never secrets.
"""

from __future__ import annotations

import secrets

from django.http import HttpRequest

FIELD = "once"
SESSION_KEY = "made"
REMEMBERED = 20


def word(request: HttpRequest) -> str:
    """For the form of this page: the one that came with a form that has to be shown again, else a new one."""
    return request.POST.get(FIELD, "")[:40] or secrets.token_urlsafe(12)


def made(request: HttpRequest) -> str | None:
    """The id of what this very form made before."""
    sent = request.POST.get(FIELD, "")
    found: str | None = request.session.get(SESSION_KEY, {}).get(sent) if sent else None
    return found


def remember(request: HttpRequest, id: str) -> None:
    known = {**request.session.get(SESSION_KEY, {}), request.POST.get(FIELD, "")[:40]: id}
    request.session[SESSION_KEY] = dict(list(known.items())[-REMEMBERED:])
