"""Members of the organization: who they are, their role, and their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access, pages
from admin_api.actions import memberships
from admin_api.pages import IdPage
from admin_api.queries import members as queries
from admin_api.queries.api_keys import api_keys, keys_for
from admin_api.queries.service_accounts import service_accounts
from admin_api.queries.workspace_roles import roles_held
from dashboard.downloads.csv_export import Cell, csv_response
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.frame.role_words import ROLES
from dashboard.members import lines
from dashboard.members.forms import HAND_OVER, FilterForm, RemoveForm, RoleForm
from dashboard.members.tabs import ADMIN, READERS, tabs
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, Membership, ServiceAccount

ON_A_PAGE = 50
IN_A_FILE = 500  # that are read at once
MOST_KEYS = 200  # that are listed before somebody is removed


@require_safe
@member_page_for(*READERS)
def members(request: HttpRequest, place: Place) -> HttpResponse:
    """Who joined last comes first; `?after=` is the id of the last member of the page before."""
    form, filters = _filters(request)
    after = request.GET.get("after", "")
    page = _page(place, filters, after, ON_A_PAGE)
    older = {**filters, "after": page.rows[-1].user_id} if page.has_more else None
    context = {
        "lines": lines.read(place.organization, page.rows, timezone.now()),
        "form": form,
        "query": f"?{urlencode(filters)}" if filters else "",
        "newest": f"?{urlencode(filters)}" if after else "",
        "older": f"?{urlencode(older)}" if older else "",
        **tabs(place),
    }
    return render(request, "dashboard/members/index.html", context)


@require_safe
@member_page_for(*READERS)
def members_file(request: HttpRequest, place: Place) -> HttpResponse:
    """Everybody whom the page would show on all its pages."""
    _, filters = _filters(request)
    return csv_response(request, "members", lines.COLUMNS, _cells(place, filters))


def _filters(request: HttpRequest) -> tuple[FilterForm, dict[str, str]]:
    """The form, and what is understood of it."""
    form = FilterForm(request.GET)
    form.is_valid()
    return form, {name: value for name, value in form.cleaned_data.items() if value}


def _page(place: Place, filters: Mapping[str, str], after: str, limit: int) -> IdPage[Membership]:
    everybody = queries.members(place.organization)
    roles = [filters["role"]] if "role" in filters else ()
    rows = queries.members(place.organization, roles=roles, words=filters.get("q", ""))
    asked: dict[str, object] = {"limit": limit, **({"after_id": after} if after else {})}
    return pages.by_id(rows, asked, among=everybody, id="user_id", at="added_at")


def _cells(place: Place, filters: Mapping[str, str]) -> Iterator[Sequence[Cell]]:
    now, after = timezone.now(), ""
    while True:
        page = _page(place, filters, after, IN_A_FILE)
        yield from (one.cells for one in lines.read(place.organization, page.rows, now))
        if not page.has_more:
            return
        after = page.rows[-1].user_id


@require_safe
@member_page_for(*READERS)
def member(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    found = access.member(place.organization, id)
    return _member(request, place, found, RoleForm(initial={"role": found.role}))


@require_POST
@member_page_for(ADMIN)
def set_role(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    found, form = access.member(place.organization, id), RoleForm(request.POST)
    if form.is_valid():
        try:
            changed = memberships.set_role(actor=actor_of(request), membership=found, **form.cleaned_data)
            role = ROLES[Membership.Role(changed.role)]
            messages.success(request, f"{found.user.email} has the role {role} now.")
            return redirect("member", id=id) if place.user.id != id else redirect("overview")
        except InvalidRequest as refused:
            form.refuse(refused)
    return _member(request, place, found, form)


def _member(request: HttpRequest, place: Place, found: Membership, form: RoleForm) -> HttpResponse:
    (line,) = lines.read(place.organization, [found], timezone.now())
    context = {
        "line": line,
        "member": found,
        "form": form,
        "roles": roles_held(found),
        "keys": keys_for(place.membership).filter(user=found.user_id).order_by("-created_at")[:MOST_KEYS],
        "may_edit": place.is_admin,
        "last_admin": _is_last_admin(found),
    }
    return render(request, "dashboard/members/member.html", context, status=400 if form.errors else 200)


@fresh_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(ADMIN)
def remove_member(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    found = access.member(place.organization, id)
    keys = list(queries.api_keys_of(found).exclude(status=ApiKey.Status.ARCHIVED).order_by("-created_at"))
    form = RemoveForm(request.POST or None, member=found, has_keys=bool(keys))
    if form.is_valid() and _removed(request, place, found, form):
        messages.success(request, f"{found.user.email} is no member any more.")
        return redirect("members") if found.user_id != place.user.id else redirect("overview")
    context = {
        "member": found,
        "form": form,
        "keys": keys[:MOST_KEYS],
        "more_keys": len(keys) - MOST_KEYS,
        "made": _made_for_others(place, found),
        "last_admin": _is_last_admin(found),
        "is_self": found.user_id == place.user.id,
    }
    return render(request, "dashboard/members/remove.html", context, status=400 if form.errors else 200)


def _removed(request: HttpRequest, place: Place, found: Membership, form: RemoveForm) -> bool:
    handing_over = form.cleaned_data.get("keys") == HAND_OVER
    keys_to = _heir(place, form.cleaned_data["keys_to"]) if handing_over else None
    try:
        memberships.remove(actor=actor_of(request), membership=found, keys_to=keys_to)
    except InvalidRequest as refused:
        form.refuse(refused)
        return False
    return True


def _heir(place: Place, id: str) -> Membership | ServiceAccount:
    """Who the form offered under this id; the two kinds of ids differ."""
    if service_accounts(place.organization).filter(id=id).exists():
        return access.service_account(place.organization, id)
    return access.member(place.organization, id)


def _made_for_others(place: Place, found: Membership) -> int:
    """Live keys that the member made and that do not act for them."""
    made = api_keys(place.organization, created_by_user_id=found.user_id)
    return made.exclude(status=ApiKey.Status.ARCHIVED).exclude(user=found.user_id).count()


def _is_last_admin(found: Membership) -> bool:
    admins = queries.members(found.organization, roles=[ADMIN])
    return found.role == ADMIN and not admins.exclude(pk=found.pk).exists()
