"""What operators do with models: set them up, price them, take published prices over, take them away."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from admin_api import access
from admin_api.actions import models
from admin_api.catalog import RouteTo
from dashboard.catalog import lines as shown
from dashboard.catalog.model_forms import ModelForm, RouteFormSet
from dashboard.catalog.price_forms import PriceForm
from dashboard.catalog.views import model_page
from dashboard.forms.form import Form
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import Reader, actor_of, operator_page
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.models import Model, Provider, User
from gateway.models.catalog import Origin
from gateway.price_list.proposals import proposals
from gateway.price_list.takeover import take_over

NEEDS_A_ROUTE = "Name at least one provider that serves it."


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_model(request: HttpRequest, user: User) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form, routes = ModelForm(data), RouteFormSet(data, form_kwargs=_providers(), prefix="route")
    if data is not None and form.is_valid() and routes.is_valid():
        name = form.cleaned_data["name"]
        if Model.objects.filter(name=name, origin=Origin.CONFIGURED).exists():
            form.add_error("name", "There is a model of this name already.")
        elif _done(request, form, name, routes.routes(name)):
            messages.success(
                request, f"{name} can be asked for. Set what it costs, or its use is not charged."
            )
            return redirect("price_model", name=name)
    return _form(request, form, routes, {})


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def edit_model(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.catalog_model(name)
    data = request.POST if request.method == "POST" else None
    form = ModelForm(data, model=found, initial=ModelForm.initial_of(found))
    ways = [
        {
            "provider": route.provider.name,
            "model": route.upstream_model,
            "priority": route.priority,
            "weight": route.weight,
        }
        for route in found.routes.all()
    ]
    routes = RouteFormSet(data, form_kwargs=_providers(), prefix="route", initial=ways)
    valid = data is not None and form.is_valid() and routes.is_valid()
    if valid and _done(request, form, name, routes.routes(name)):
        messages.success(request, "Saved.")
        return redirect("model", name=name)
    return _form(request, form, routes, {"model": found, "simulated": found.origin == Origin.SIMULATOR})


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def price_model(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found: Any = access.catalog_model(name)
    current = next(iter(found.current_prices), None)
    form = PriceForm(
        request.POST if request.method == "POST" else None, initial=PriceForm.initial_of(current)
    )
    if request.method == "POST" and form.is_valid():
        try:
            models.upsert(actor=actor_of(request), name=name, routes=_routes(found), price=form.rates())
        except GatewayError as refused:
            form.refuse(_of_price(refused))
        else:
            messages.success(request, "The price is set. What was used before keeps what it was charged by.")
            return redirect("model", name=name)
    context = {"form": form, "model": found}
    return render(request, "dashboard/catalog/price_form.html", context, status=400 if form.errors else 200)


@require_POST
@fresh_sign_in
@operator_page
def remove_model(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.catalog_model(name)
    if request.POST.get("typed", "").strip() != name:
        return model_page(request, Reader(user, None), found, refused="Type the model's name to remove it.")
    try:
        models.remove(actor=actor_of(request), model=found)
    except InvalidRequest as refused:
        words = refused.message.partition(": ")[2]
        return model_page(request, Reader(user, None), found, refused=f"This model stays: {words}.")
    messages.success(request, f"{name} can no longer be asked for.")
    return redirect("catalog")


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def published_prices(request: HttpRequest, user: User) -> HttpResponse:
    """What would change, model by model; taken over are those that are ticked."""
    if request.method == "POST":
        return _take_over(request, request.POST.getlist("model"))
    found = proposals(timezone.now())
    context = {
        "different": [(one, _readable(one.changes)) for one in found if one.changes],
        "same": sum(1 for one in found if one.price is not None and not one.changes),
        "unknown": [one for one in found if one.price is None],
        "source": f"genai-prices {version('genai-prices')}",
    }
    return render(request, "dashboard/catalog/published_prices.html", context)


def _take_over(request: HttpRequest, names: list[str]) -> HttpResponse:
    if not names:
        messages.warning(request, "Nothing was ticked, so nothing was changed.")
        return redirect("published_prices")
    try:
        taken = take_over(actor=actor_of(request), names=names)
    except NotFound as gone:
        raise InvalidRequest(gone.message) from None
    changed = sum(1 for one in taken if one.changes)
    messages.success(request, f"{changed} price{'' if changed == 1 else 's'} taken over, from now on.")
    return redirect("catalog")


def _readable(changes: Any) -> list[tuple[str, str, str]]:
    """Field, now, published; without what stays nothing."""
    found = []
    for change in changes:
        if change.old is None and change.new is None:
            continue
        found.append((change.field.replace("_", " "), _rate(change.old), _rate(change.new)))
    return found


def _rate(value: object) -> str:
    return "none" if value is None else shown.dollars(value)


def _form(request: HttpRequest, form: ModelForm, routes: Any, context: dict[str, object]) -> HttpResponse:
    wrong = bool(form.errors) or (routes.is_bound and not routes.is_valid())
    whole = {"form": form, "routes": routes, **context}
    return render(request, "dashboard/catalog/model_form.html", whole, status=400 if wrong else 200)


def _done(request: HttpRequest, form: ModelForm, name: str, routes: list[RouteTo]) -> bool:
    """Whether it was saved; else the form says why not."""
    if not routes:
        form.add_error(None, NEEDS_A_ROUTE)
        return False
    try:
        models.upsert(actor=actor_of(request), routes=routes, **form.arguments(name))
    except GatewayError as refused:
        _refuse(form, refused)
        return False
    return True


def _refuse(form: Form, refused: GatewayError) -> None:
    """`routes.0.provider: ...` is about no field of the form's own."""
    field, _, words = refused.message.partition(": ")
    form.refuse(InvalidRequest(words) if field.startswith("routes.") and words else refused)


def _of_price(refused: GatewayError) -> GatewayError:
    """`price.effective_at: ...` is about the field `effective_at`."""
    return InvalidRequest(refused.message.removeprefix("price."))


def _routes(row: Any) -> list[RouteTo]:
    """As they are."""
    return [
        RouteTo(route.provider.name, route.upstream_model, route.priority, route.weight)
        for route in row.routes.all()
    ]


def _providers() -> dict[str, list[str]]:
    return {"providers": list(Provider.objects.order_by("name").values_list("name", flat=True))}
