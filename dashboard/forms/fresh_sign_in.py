"""What does harm asks for a sign-in, or a second factor, that is not older than 15 minutes."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from gateway.models import User

P = ParamSpec("P")


def fresh_sign_in(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Stands above `member_page`. Whoever signed in long ago proves it again and comes back to where they were.

    What was typed into a form is not sent again by itself: the person presses once more, on the page that the
    form's `next` names.
    """

    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if isinstance(request.user, User) and not is_fresh(request, request.user):
            return _to_proof(request)
        return view(request, *args, **kwargs)

    return page


def is_fresh(request: HttpRequest, user: User) -> bool:
    proofs = [float(one["at"]) for one in get_authentication_records(request, user)]
    return bool(proofs) and time.time() - max(proofs) < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def _to_proof(request: HttpRequest) -> HttpResponse:
    back = request.get_full_path() if request.method in ("GET", "HEAD") else request.POST.get("next") or "/"
    return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}")
