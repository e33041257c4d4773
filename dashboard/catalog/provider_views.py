"""What operators do with providers: set them up, drain them, ask them for a word, take them away."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access
from admin_api.actions import provider_checks, providers
from dashboard.catalog import lines as shown
from dashboard.catalog.provider_forms import CARRIED, ON_LEAVING, SPOKEN, ProviderForm, ProviderKeyForm
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import actor_of, operator_page
from gateway.errors import GatewayError, InvalidRequest
from gateway.models import Provider, ProviderCheck, User

RECENT_CHECKS = 5
IMPATIENT_SECONDS = 15  # after which the page says that no worker has come


@require_safe
@operator_page
def provider(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.provider(name)
    return render(request, "dashboard/catalog/provider.html", _page(found, ProviderKeyForm()))


@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_provider(request: HttpRequest, user: User) -> HttpResponse:
    form = ProviderForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        arguments = form.arguments()
        if Provider.objects.filter(name=arguments["name"]).exists():
            form.add_error("name", "There is a provider of this name already.")
        elif _done(request, form, arguments):
            messages.success(request, "The provider is there. Ask it for a word, then route models to it.")
            return redirect("provider", name=arguments["name"])
    return render(
        request, "dashboard/catalog/provider_form.html", {"form": form}, status=400 if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def edit_provider(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.provider(name)
    form = ProviderForm(
        request.POST if request.method == "POST" else None,
        provider=found,
        initial=ProviderForm.initial_of(found),
    )
    if (
        request.method == "POST"
        and form.is_valid()
        and _done(request, form, {"name": name, **form.arguments()})
    ):
        messages.success(request, "Saved.")
        return redirect("provider", name=name)
    context = {"form": form, "provider": found}
    return render(
        request, "dashboard/catalog/provider_form.html", context, status=400 if form.errors else 200
    )


@sensitive_post_parameters("key")
@require_POST
@operator_page
def add_provider_key(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found, form = access.provider(name), ProviderKeyForm(request.POST)
    if form.is_valid():
        try:
            providers.add_key(actor=actor_of(request), provider=found, key=form.weighted())
        except InvalidRequest as refused:
            form.refuse(refused)
        else:
            messages.success(request, "The key is used from the next request on.")
            return redirect("provider", name=name)
    return render(request, "dashboard/catalog/provider.html", _page(found, form), status=400)


@require_POST
@fresh_sign_in
@operator_page
def remove_provider_key(request: HttpRequest, user: User, id: int, name: str) -> HttpResponse:
    providers.remove_key(actor=actor_of(request), provider=access.provider(name), key_id=str(id))
    messages.success(request, "The key is gone.")
    return redirect("provider", name=name)


@require_POST
@fresh_sign_in
@operator_page
def drain_provider(request: HttpRequest, user: User, name: str) -> HttpResponse:
    providers.drain(actor=actor_of(request), provider=access.provider(name))
    messages.success(request, "Nothing new is sent there. What runs there comes to its end.")
    return redirect("provider", name=name)


@require_POST
@operator_page
def put_back_provider(request: HttpRequest, user: User, name: str) -> HttpResponse:
    providers.put_back(actor=actor_of(request), provider=access.provider(name))
    messages.success(request, "Requests go there again.")
    return redirect("provider", name=name)


@require_POST
@fresh_sign_in
@operator_page
def remove_provider(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.provider(name)
    if request.POST.get("typed", "").strip() != found.name:
        return _refused(request, found, "Type the provider's name to remove it.")
    try:
        providers.remove(actor=actor_of(request), provider=found)
    except InvalidRequest as refused:
        return _refused(request, found, refused.message.partition(": ")[2] or refused.message)
    messages.success(request, f"{name} is gone, with the routes that led to it.")
    return redirect("catalog")


@require_POST
@operator_page
def check_provider(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.provider(name)
    try:
        begun = provider_checks.begin(
            actor=actor_of(request), provider=found, model=request.POST.get("model", "").strip()
        )
    except InvalidRequest as refused:
        return _refused(request, found, refused.message.partition(": ")[2])
    return redirect("provider_check", id=begun.pk, name=name)


@require_safe
@operator_page
def provider_check(request: HttpRequest, user: User, id: int, name: str) -> HttpResponse:
    """The calls of one test as they end; the part that changes alone for the page that refreshes itself."""
    found = access.provider(name)
    check = access.provider_check(found, id)
    waited = (timezone.now() - check.asked_at).total_seconds()
    context = {
        "provider": found,
        "check": check,
        "failed": sum(1 for line in check.lines if not line["ok"]),
        "over": check.ended_at is not None,
        "impatient": check.started_at is None and waited > IMPATIENT_SECONDS,
    }
    part = "dashboard/catalog/provider_check_calls.html"
    return render(
        request, part if wants_fragment(request) else "dashboard/catalog/provider_check.html", context
    )


def _page(found: Provider, key_form: ProviderKeyForm) -> dict[str, object]:
    (one,) = shown.providers([found])
    return {
        "provider": one,
        "spoken": SPOKEN.get(found.dialect, found.dialect),
        "on_leaving": ON_LEAVING[found.on_disconnect],
        "carried": CARRIED[found.batches],
        "key_form": key_form,
        "as_of": timezone.now(),
        "models": sorted({route.upstream_model for route in one.routes}),
        "checks": ProviderCheck.objects.filter(provider=found.name).order_by("-id")[:RECENT_CHECKS],
    }


def _done(request: HttpRequest, form: ProviderForm, arguments: dict[str, object]) -> bool:
    """Whether it was saved; else the form says why not."""
    try:
        providers.upsert(actor=actor_of(request), **arguments)
    except GatewayError as refused:
        form.refuse(refused)
        return False
    return True


def _refused(request: HttpRequest, found: Provider, words: str) -> HttpResponse:
    context = _page(found, ProviderKeyForm()) | {"refused": words}
    return render(request, "dashboard/catalog/provider.html", context, status=400)
