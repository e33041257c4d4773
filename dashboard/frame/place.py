"""Where a signed-in person stands: the organization their pages are about, and their role in it."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Callable, Collection
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from admin_api import access
from admin_api.actor import Actor
from admin_api.house_rules import Broken, broken_rule
from admin_api.session_proofs import proofs_of
from dashboard.frame.client_address import client_address
from gateway.errors import NotFound, PermissionDenied
from gateway.models import Membership, Organization, User
from gateway.models.sessions import SIGNED_IN
from gateway.request_ids import request_id_of

SESSION_KEY = "organization"
_ASKED, _FOUND = "dashboard.frame.place.asked", "dashboard.frame.place.found"

P = ParamSpec("P")


@dataclasses.dataclass(frozen=True)
class Place:
    user: User
    organization: Organization
    membership: Membership

    @property
    def role(self) -> str:
        return self.membership.role

    @property
    def is_admin(self) -> bool:
        return self.role == Membership.Role.ADMIN

    @property
    def sees_all_usage(self) -> bool:
        """Plain users see what their own keys used."""
        return self.role in (Membership.Role.ADMIN, Membership.Role.DEVELOPER, Membership.Role.BILLING)


def member_page(
    view: Callable[Concatenate[HttpRequest, Place, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page that needs a signed-in member; the view gets their place. Never stored by caches or proxies."""

    @never_cache
    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        place = place_of(request)
        if place is None:
            return _nowhere(request)
        return turned_away(request, place) or view(request, place, *args, **kwargs)

    return page


def own_page(
    view: Callable[Concatenate[HttpRequest, User, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page about the account of who is signed in; the organization that it opens in has its say."""

    @never_cache
    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return to_sign_in(request)
        place = place_of(request)
        refusal = turned_away(request, place) if place else None
        return refusal or view(request, request.user, *args, **kwargs)

    return page


def set_up_page(
    view: Callable[Concatenate[HttpRequest, User, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """As `own_page`, also for somebody who has yet to set up what their organization asks for."""

    @never_cache
    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return to_sign_in(request)
        return view(request, request.user, *args, **kwargs)

    return page


def member_page_for(
    *roles: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Place, P], HttpResponse]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """As `member_page`, for members with one of these roles; others read 403. Raises `PermissionDenied`."""

    def only(
        view: Callable[Concatenate[HttpRequest, Place, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @functools.wraps(view)
        def page(request: HttpRequest, place: Place, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if place.role not in roles:
                raise PermissionDenied("Your role in this organization does not include this page.")
            return view(request, place, *args, **kwargs)

        return member_page(page)

    return only


def operator_page(
    view: Callable[Concatenate[HttpRequest, User, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page for who runs the installation; the view gets them. To all others it does not exist."""

    @never_cache
    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return to_sign_in(request)
        if not operates(request):
            raise NotFound("There is no such page.")
        return view(request, request.user, *args, **kwargs)

    return page


@dataclasses.dataclass(frozen=True)
class Reader:
    """Who looks at a page that members of some roles share with operators.

    `place` is None for an operator who has none of these roles, or belongs to nobody.
    """

    user: User
    place: Place | None


def reader_page_for(
    *roles: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Reader, P], HttpResponse]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """A page for members with one of these roles, and for operators. Raises `PermissionDenied`."""

    def only(
        view: Callable[Concatenate[HttpRequest, Reader, P], HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        member = member_page_for(*roles)(_as_reader(view))

        @never_cache
        @functools.wraps(view)
        def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            user = request.user
            place = place_of(request) if operates(request) else None
            if isinstance(user, User) and operates(request) and (place is None or place.role not in roles):
                return view(request, Reader(user, None), *args, **kwargs)
            return member(request, *args, **kwargs)

        return page

    return only


def _as_reader(
    view: Callable[Concatenate[HttpRequest, Reader, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, Place, P], HttpResponse]:
    @functools.wraps(view)
    def of_member(request: HttpRequest, place: Place, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return view(request, Reader(place.user, place), *args, **kwargs)

    return of_member


def operates(request: HttpRequest) -> bool:
    """Whether somebody who runs the installation is here; an organization's provider cannot say so."""
    user = request.user
    return isinstance(user, User) and user.is_operator and not proofs_of(request, user).only_sso


def owner_page(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Stands above `own_page` where somebody changes how they sign in: not for who came only through a provider.

    Raises `PermissionDenied`.
    """

    @functools.wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if isinstance(request.user, User) and proofs_of(request, request.user).only_sso:
            raise PermissionDenied(
                "You signed in through your organization. To change how you sign in here, sign in with your password."
            )
        return view(request, *args, **kwargs)

    return page


def _nowhere(request: HttpRequest) -> HttpResponse:
    """A member of nothing; or somebody whose organization has turned off what they came through."""
    if isinstance(request.user, User) and proofs_of(request, request.user).only_sso:
        logout(request)
        return to_sign_in(request)
    return render(request, "dashboard/frame/no_organization.html")


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person, as the subject of what they change."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return Actor.user(
        request.user,
        ip_address=client_address(request),
        request_id=request_id_of(request),
        user_agent=request.headers.get("User-Agent", ""),
    )


def place_of(request: HttpRequest) -> Place | None:
    """The organization chosen in this session while the user belongs to it, else their first; None without any.

    Asked for once, though view, frame and navigation all want to know.
    """
    user = request.user
    if not isinstance(user, User):
        return None
    asked = (user.pk, request.session.get(SESSION_KEY))
    if request.META.get(_ASKED) != asked:
        proofs = proofs_of(request, user)
        among = frozenset[uuid.UUID]() if proofs.only_sso and user.is_operator else proofs.among
        membership = _chosen(user, asked[1], among) or _chosen(user, None, among)
        request.META[_FOUND] = Place(user, membership.organization, membership) if membership else None
        request.META[_ASKED] = asked
    found: Place | None = request.META[_FOUND]
    return found


def turned_away(request: HttpRequest, place: Place) -> HttpResponse | None:
    """What answers a session that breaks a rule of the organization; None for one that keeps them all.

    Raises `PermissionDenied` for an address outside its networks.
    """
    broken = broken_rule(
        place.organization,
        place.user,
        address=client_address(request),
        signed_in_at=request.session.get(SIGNED_IN, {}).get("at"),
        proofs=proofs_of(request, place.user),
    )
    if broken is Broken.ADDRESS:
        raise PermissionDenied(broken.value)
    if broken is Broken.AGE:
        logout(request)
        return to_sign_in(request)
    if broken is Broken.SSO:
        return _whole_page(request, reverse("sso_needed"))
    return _whole_page(request, reverse("second_factor_needed")) if broken else None


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Back to the page afterwards; a fragment sends the whole page there, as its URL alone is no place to be."""
    query = "" if _is_fragment(request) else f"?{urlencode({'next': request.get_full_path()})}"
    return _whole_page(request, reverse("account_login") + query)


def _whole_page(request: HttpRequest, address: str) -> HttpResponse:
    if _is_fragment(request):
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    return redirect(address)


def _is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _chosen(
    user: User, organization_id: str | None, among: Collection[uuid.UUID] | None
) -> Membership | None:
    try:
        return access.membership_for(user, organization_id, among)
    except NotFound:
        return None
