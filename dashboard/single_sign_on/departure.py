"""On the way to an identity provider: what is asked of it, and a page that goes there.

A form may not lead to another site (the content security policy says so of all our pages, and of redirects after
them), so the answer to the form is a page that goes on by itself.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from onelogin.saml2.errors import OneLogin_Saml2_Error
from requests import RequestException

from dashboard.single_sign_on.adapter import app_of, provider_of
from gateway.errors import InvalidRequest
from gateway.models import SsoConnection

log = structlog.get_logger(__name__)
# What asking a provider may fail with: away, no JSON, or JSON of another shape.
AWAY = (OAuth2Error, OneLogin_Saml2_Error, RequestException, KeyError, TypeError, ValueError)


def depart(
    request: HttpRequest,
    connection: SsoConnection,
    *,
    following: str = "",
    test: bool = False,
    again: bool = False,
    hint: str = "",
) -> HttpResponse:
    """Raises `InvalidRequest` where the provider cannot be asked; `following` is a path of ours."""
    data = {"version": connection.version, "test": test, "again": again, "next": following}
    provider = provider_of(request, app_of(connection))
    try:
        answer = provider.begin(request, data, again=again, hint=hint)
    except AWAY as problem:
        log.info("sso_away", connection=connection.id, error=repr(problem)[:300])
        why = f" ({type(problem).__name__}: {problem})"[:300] if test else ""
        raise InvalidRequest(
            f"The identity provider cannot be reached. Try again in a minute.{why}"
        ) from None
    address = answer["location"]
    context = {"address": address, "host": urlsplit(address).netloc, "organization": connection.organization}
    return render(request, "dashboard/single_sign_on/leaving.html", context)
