"""What is noted of sessions: where they began, and that somebody is still there."""

from __future__ import annotations

import time

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from dashboard.frame.client_address import client_address
from gateway.models import User
from gateway.models.sessions import LONGEST_AGENT, SIGNED_IN

SEEN = "seen"
EVERY = 300  # seconds: a page that is opened sooner after another writes nothing


@receiver(user_logged_in)
def remember_sign_in(request: HttpRequest, **_: object) -> None:
    """However somebody came in: `BrowserSession` shows it, and the age of the session counts from here."""
    request.session[SIGNED_IN] = {
        "at": time.time(),
        "ip": client_address(request),
        "agent": request.headers.get("User-Agent", "")[:LONGEST_AGENT].replace("\x00", ""),
    }
    request.session[SEEN] = int(time.time())


class SeenMiddleware(MiddlewareMixin):
    """Keeps a session awake that is used. What pages ask for by themselves is no sign of anybody."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = getattr(request, "session", None)
        if session is None or not session.accessed or _asked_by_itself(request):
            return response
        if isinstance(request.user, User) and time.time() - session.get(SEEN, 0) > EVERY:
            session[SEEN] = int(time.time())
        return response


def _asked_by_itself(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers or "text/event-stream" in request.headers.get("Accept", "")
