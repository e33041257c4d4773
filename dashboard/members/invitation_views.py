"""Inviting people into the organization: many at once, again, and no more. Joining is in `sign_in/invite_views.py`."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access, mail, pages
from admin_api.actions import invites as actions
from admin_api.pages import IdPage
from admin_api.queries import invites as queries
from dashboard.forms.form import Form
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.frame.role_words import GRANTED, ROLES, WHO_MAKES_ADMINS
from dashboard.members import invitations
from dashboard.members.invitations import MOST, Outcome
from dashboard.members.tabs import ADMIN, READERS, tabs
from gateway.errors import InvalidRequest
from gateway.models import Invite, Membership

ON_A_PAGE = 50
STATUSES = {"": "All", **{status: status.capitalize() for status in queries.LISTED}}


class InviteForm(Form):
    emails = forms.CharField(
        label="Email addresses",
        max_length=30_000,
        widget=forms.Textarea({"rows": 6, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=f"One a line, or with commas between them; at most {MOST} at once.",
    )
    role = forms.ChoiceField(
        label="Role", choices=GRANTED, initial=Membership.Role.DEVELOPER, help_text=WHO_MAKES_ADMINS
    )

    def clean_emails(self) -> list[str]:
        found = invitations.addresses_in(self.cleaned_data["emails"])
        if not found:
            raise forms.ValidationError("Type at least one address.")
        if len(found) > MOST:
            raise forms.ValidationError(f"These are {len(found)} addresses; invite at most {MOST} at once.")
        return found


@require_safe
@member_page_for(*READERS)
def invite_list(request: HttpRequest, place: Place) -> HttpResponse:
    """Who was invited last comes first."""
    status, after = request.GET.get("status", ""), request.GET.get("after", "")
    status = status if status in STATUSES else ""
    page: IdPage[Invite] = pages.by_id(
        queries.invites(place.organization, statuses=[status] if status else ()).select_related("invited_by"),
        {"limit": ON_A_PAGE, **({"after_id": after} if after else {})},
        among=Invite.objects.filter(organization=place.organization),
        at="invited_at",
    )
    filters = {"status": status} if status else {}
    context = {
        "invites": page.rows,
        "statuses": STATUSES.items(),
        "status": status,
        "newest": f"?{urlencode(filters)}" if after else "",
        "older": f"?{urlencode({**filters, 'after': page.rows[-1].id})}" if page.has_more else "",
        "mailing": mail.leaves(),
        "may_edit": place.is_admin,
        **tabs(place),
    }
    return render(request, "dashboard/members/invites.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(ADMIN)
def invite_people(request: HttpRequest, place: Place) -> HttpResponse:
    """The answer to the form tells what became of each address, with links that are not to be had again."""
    form = InviteForm(request.POST or None)
    if not form.is_valid():
        context = {"form": form, "mailing": mail.leaves()}
        return render(
            request, "dashboard/members/invite_people.html", context, status=400 if form.is_bound else 200
        )
    outcomes = invitations.invite_all(
        actor=actor_of(request),
        organization=place.organization,
        invited_by=place.user,
        emails=form.cleaned_data["emails"],
        role=form.cleaned_data["role"],
    )
    return _told(request, outcomes, form.cleaned_data["role"])


@require_POST
@member_page_for(ADMIN)
def new_link(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """Another link, shown once; the one before is dead."""
    invite = access.invite(place.organization, id)
    try:
        renewed, token = actions.renew(actor=actor_of(request), invite=invite)
    except InvalidRequest as refused:
        messages.error(request, refused.message.removeprefix("email: "))
        return redirect("member_invites")
    return _told(request, [Outcome(renewed.email, renewed, actions.link(token))], renewed.role)


@require_POST
@member_page_for(ADMIN)
def resend_invite(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """Mails another link; without mail there is only `new_link`."""
    invite = access.invite(place.organization, id)
    try:
        if not mail.leaves():
            raise InvalidRequest("This gateway sends no mail. Make a new link and hand it over yourself.")
        actions.renew(actor=actor_of(request), invite=invite, mailing="by a worker")
        said = f"A new invitation is on its way to {invite.email}. The link before does not work any more."
        messages.success(request, said)
    except InvalidRequest as refused:
        messages.error(request, refused.message.removeprefix("email: "))
    return redirect("member_invites")


@require_POST
@member_page_for(ADMIN)
def revoke_invite(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    invite = access.invite(place.organization, id)
    try:
        actions.withdraw(actor=actor_of(request), invite=invite)
        messages.success(
            request, f"The invitation of {invite.email} is revoked: its link does not work any more."
        )
    except InvalidRequest as refused:
        messages.error(request, refused.message)
    return redirect("member_invites")


def _told(request: HttpRequest, outcomes: list[Outcome], role: str) -> HttpResponse:
    """Where some addresses were refused, the form is there again with these."""
    refused = [one for one in outcomes if one.refused]
    made = [one for one in outcomes if one.invite is not None]
    again = InviteForm(initial={"emails": "\n".join(one.email for one in refused), "role": role})
    context = {
        "made": made,
        "refused": refused,
        "form": again if refused else None,
        "role": ROLES[Membership.Role(role)],
        "until": made[0].invite.expires_at if made and made[0].invite else None,
        "links": any(one.link for one in made),
    }
    return render(request, "dashboard/members/invited.html", context, status=200 if made else 400)
