"""The Playground: try a model in the browser, at the cost of a workspace. Its messages go to `/playground/messages`,
which is no view: see `gateway/consumers/playground.py`.
"""

from __future__ import annotations

import dataclasses
import json

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from admin_api import access
from admin_api.actions import request_contents, saved_prompts
from admin_api.queries.member_workspaces import playground_workspaces
from admin_api.queries.playground_answers import billed
from dashboard.forms.form import Form
from dashboard.frame import figures
from dashboard.frame.navigation import WORK_HERE
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.frame.snippets import EXAMPLE_MODEL
from dashboard.playground import requests as playground_requests
from dashboard.playground.requests import Logged
from dashboard.playground.start import SAMPLES, offered
from gateway.errors import InvalidRequest, NotFound
from gateway.models import SavedPrompt, Workspace

VARIABLES = "Write {{name}} for what changes: each name gets a field."


class SaveForm(Form):
    """`content` is written by the page's script."""

    name = forms.CharField(label="Prompt name", max_length=saved_prompts.LONGEST_NAME)
    content = forms.JSONField(widget=forms.HiddenInput)


@require_safe
@member_page_for(*WORK_HERE)
def playground(request: HttpRequest, place: Place) -> HttpResponse:
    """Empty, or with a saved prompt (`?prompt=`) or the model of a logged request (`?request=`)."""
    workspaces = list(playground_workspaces(place.membership))
    logged = _logged(request, place)
    start = {"content": {"model": logged.model}} if logged else _saved(request, place)
    wanted = logged.workspace_id if logged else request.GET.get("workspace", "")
    workspace = _workspace(workspaces, wanted)
    context = {
        "workspaces": workspaces,
        "workspace": workspace,
        "samples": [{"label": one.label, "content": json.dumps(one.content)} for one in SAMPLES],
        "saved": SavedPrompt.objects.filter(organization=place.organization, user=place.user)
        .order_by("-updated_at")
        .defer("content"),
        "save_form": SaveForm(),
        "variables_help": VARIABLES,
        "start": json.dumps(
            {
                **start,
                "models": _models(place, workspace),
                "model": EXAMPLE_MODEL,
                "address": settings.CONFIGURATION.base_url,
                "sign_in": reverse("account_login"),
            }
        ),
        "logged": logged,
    }
    return render(request, "dashboard/playground/index.html", context)


@require_safe
@member_page_for(*WORK_HERE)
def models(request: HttpRequest, place: Place) -> HttpResponse:
    """The models of another workspace."""
    workspace = access.playground_workspace(place.membership, request.GET.get("workspace", ""))
    return JsonResponse({"models": _models(place, workspace)})


@require_safe
@member_page_for(*WORK_HERE)
def answer(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """What it cost, once the ledger has it: a second or two after its end."""
    found = billed(place.membership, id)
    if found is None:
        return JsonResponse({"cost": None})
    if not found.priced:
        return JsonResponse({"cost": "no price set", "exact": "This model has no price on this gateway."})
    return JsonResponse({"cost": figures.money(found.cost), "exact": figures.exact_money(found.cost)})


@require_POST
@member_page_for(*WORK_HERE)
def asked(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """What a logged request asked, for the script; that it was read is in the audit log."""
    found = playground_requests.logged(place, id)
    if found is None or not found.readable:
        raise NotFound("Request not found.")
    kept = request_contents.read(
        actor=actor_of(request), organization=place.organization, request_id=found.request_id
    )
    return JsonResponse({"content": playground_requests.as_content(found.model, kept.request)})


@require_POST
@member_page_for(*WORK_HERE)
def save_prompt(request: HttpRequest, place: Place) -> HttpResponse:
    form = SaveForm(request.POST)
    try:
        if form.is_valid() and isinstance(form.cleaned_data["content"], dict):
            saved = saved_prompts.save(actor=actor_of(request), member=place.membership, **form.cleaned_data)
            messages.success(request, f"Saved as {saved.name}.")
            return redirect(f"{reverse('playground')}?prompt={saved.id}")
        words = "The prompt was not saved: it needs a name."
    except InvalidRequest as error:
        words = f"The prompt was not saved. {error.message}"
    messages.error(request, words)
    return redirect("playground")


@require_POST
@member_page_for(*WORK_HERE)
def delete_prompt(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    prompt = access.saved_prompt(place.membership, id)
    saved_prompts.delete(actor=actor_of(request), prompt=prompt)
    messages.success(request, f"{prompt.name} is deleted.")
    return redirect("playground")


def _saved(request: HttpRequest, place: Place) -> dict[str, object]:
    """Of the prompt that the address names, `content` for the script and its `name`."""
    prompt_id = request.GET.get("prompt")
    if not prompt_id:
        return {}
    prompt = access.saved_prompt(place.membership, prompt_id)
    return {"content": prompt.content, "name": prompt.name}


def _logged(request: HttpRequest, place: Place) -> Logged | None:
    """The request that the address names. Raises `NotFound` for one that is not the member's to try again."""
    request_id = request.GET.get("request")
    if not request_id:
        return None
    found = playground_requests.logged(place, request_id)
    if found is None:
        raise NotFound("Request not found.")
    return found


def _workspace(workspaces: list[Workspace], wanted: str) -> Workspace:
    """The wanted one where it is among them, else the first, which is the default one."""
    if not workspaces:
        raise NotFound("Workspace not found.")
    return next((one for one in workspaces if one.id == wanted), workspaces[0])


def _models(place: Place, workspace: Workspace) -> list[dict[str, object]]:
    return [dataclasses.asdict(one) for one in offered(place.organization, workspace)]
