"""Models & providers: what can be asked for, what it costs, and who may; for operators also where it is served."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from admin_api import access
from admin_api.queries import catalog as queries
from dashboard.catalog import lines as shown
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Reader, operator_page, reader_page_for
from gateway.models import Membership, Model, User

reader_page = reader_page_for(Membership.Role.ADMIN, Membership.Role.DEVELOPER)
MOST_TOLD = 20  # organizations that may not use a model


@require_safe
@reader_page
def catalog(request: HttpRequest, reader: Reader) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    organization = reader.place.organization if reader.place else None
    operator = reader.user.is_operator
    context = {
        "models": shown.models(organization, text=text),
        "text": text,
        "organization": organization,
        "operator": operator,
    }
    return render(request, "dashboard/catalog/index.html", context | (_providers() if operator else {}))


@require_safe
@operator_page
def catalog_health(request: HttpRequest, user: User) -> HttpResponse:
    """The table of providers alone, for the page that refreshes itself."""
    if not wants_fragment(request):
        return redirect("catalog")
    return render(request, "dashboard/catalog/providers.html", _providers())


@require_safe
@reader_page
def model(request: HttpRequest, reader: Reader, name: str) -> HttpResponse:
    return model_page(request, reader, access.catalog_model(name))


def model_page(request: HttpRequest, reader: Reader, found: Model, *, refused: str = "") -> HttpResponse:
    """The page of a model; `refused` tells why something was not done to it."""
    organization = reader.place.organization if reader.place else None
    tiers, denied = shown.visibility(found) if reader.user.is_operator else ([], [])
    context = {
        "model": shown.shown_model(found, shown.may_use(organization)),
        "prices": shown.prices(found, timezone.now()),
        "organization": organization,
        "operator": reader.user.is_operator,
        "tiers": tiers,
        "denied": denied[:MOST_TOLD],
        "more_denied": max(0, len(denied) - MOST_TOLD),
        "refused": refused,
    }
    return render(request, "dashboard/catalog/model.html", context, status=400 if refused else 200)


def _providers() -> dict[str, object]:
    return {
        "providers": shown.providers(queries.providers().order_by("name")),
        "as_of": timezone.now(),
    }
