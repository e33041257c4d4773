"""Starting a batch in the browser: from a file of requests, or from those of another batch that failed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from admin_api import access
from admin_api.actions import message_batches as actions
from admin_api.actions import playground_keys
from admin_api.queries.available_models import available_models
from admin_api.queries.batch_owners import BatchOwner, batch_owners
from dashboard.batches import hints, items, upload
from dashboard.batches.forms import AGAIN, AgainForm, NewBatchForm
from dashboard.batches.upload import Allowed, Checked
from dashboard.forms.form import Form
from dashboard.frame import figures, snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, actor_of, member_page
from gateway.errors import GatewayError, NotFound, PermissionDenied
from gateway.models import ApiKey, MessageBatch

NO_PLACE = "You work with keys in no workspace. An admin of one can let you."


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def new_batch(request: HttpRequest, place: Place) -> HttpResponse:
    """A file is checked and, where that is asked for and nothing is wrong, its batch started."""
    form = NewBatchForm(_owners(place), *((request.POST, request.FILES) if request.method == "POST" else ()))
    checked = _checked(place, form) if form.is_bound and form.is_valid() else None
    if checked is not None and checked.right and request.POST.get("what") != "check":
        try:
            return _to(request, _started(request, place, form))
        except GatewayError as refused:
            form.refuse(refused)
    wrong = bool(form.errors) or (checked is not None and not checked.right)
    context = {"form": form, "checked": checked, "snippet": snippets.BATCH.code}
    if wants_fragment(request):  # with any other status it would not be put into the page
        return render(request, "dashboard/batches/checked.html", context)
    return render(request, "dashboard/batches/new.html", context, status=400 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def batch_again(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """Raises `NotFound` for a batch of which nothing can be sent again."""
    found = access.message_batch(place.membership, id)
    if not items.may_download(found) or not any(getattr(found, state) for state in AGAIN):
        raise NotFound("Nothing of this batch can be sent again.")
    form = AgainForm(found, _owners(place), request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        owner, states = form.cleaned_data["owner"], form.cleaned_data["states"]
        try:
            key = _key(request, place, owner)
            new = actions.resubmit(
                actor=actor_of(request), batch=found, workspace=owner.workspace, api_key=key, states=states
            )
            return _to(request, new)
        except GatewayError as refused:
            form.refuse(refused)
    status = 400 if form.errors else 200
    return render(request, "dashboard/batches/again.html", {"form": form, "batch": found}, status=status)


def _owners(place: Place) -> list[BatchOwner]:
    """Raises `PermissionDenied` for who could start none."""
    owners = batch_owners(place.membership)
    if not owners:
        raise PermissionDenied(NO_PLACE)
    return owners


def _checked(place: Place, form: Form) -> Checked:
    owner: BatchOwner = form.cleaned_data["owner"]
    models = available_models(place.organization, owner.workspace)
    return upload.check(form.cleaned_data["file"], Allowed(models, owner.key))


def _started(request: HttpRequest, place: Place, form: Form) -> MessageBatch:
    owner: BatchOwner = form.cleaned_data["owner"]
    return actions.create(
        actor=actor_of(request),
        workspace=owner.workspace,
        api_key=_key(request, place, owner),
        items=upload.items_of(form.cleaned_data["file"]),
    )


def _key(request: HttpRequest, place: Place, owner: BatchOwner) -> ApiKey:
    if owner.key is not None:
        return owner.key
    return playground_keys.take(actor=actor_of(request), member=place.membership, workspace=owner.workspace)


def _to(request: HttpRequest, batch: MessageBatch) -> HttpResponse:
    hints.tell()
    requests = f"{figures.count(batch.total)} request{'' if batch.total == 1 else 's'}"
    messages.success(request, f"A batch of {requests} has been started.")
    return redirect("batch", id=batch.id)
