"""Inviting many people at once: what became of each address, and links that are shown once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from admin_api import mail
from admin_api.actions import invites
from admin_api.actor import Actor
from gateway.errors import InvalidRequest
from gateway.models import Invite, Organization, User

MOST = 100  # at once
_BETWEEN = re.compile(r"[\s,;<>]+")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`link` is empty where it was mailed; `refused` says why there is no invite."""

    email: str
    invite: Invite | None = None
    link: str = ""
    refused: str = ""


def addresses_in(text: str) -> list[str]:
    """What looks like an address, each once, in the order of the text; if nothing does, what was typed.

    Takes lines, commas, semicolons and `Grace Hopper <grace@example.com>`.
    """
    words = [word for word in _BETWEEN.split(text) if word]
    found = [word for word in words if "@" in word] or words
    return list({word.lower(): word for word in found}.values())


def invite_all(
    *, actor: Actor, organization: Organization, invited_by: User, emails: Sequence[str], role: str
) -> list[Outcome]:
    """Each address by itself: one that is refused keeps no other from being invited."""
    return [_invite(actor, organization, invited_by, email, role) for email in emails]


def _invite(actor: Actor, organization: Organization, invited_by: User, email: str, role: str) -> Outcome:
    mailing: invites.Mailing = "by a worker" if mail.leaves() else "not"
    try:
        invite, token = invites.create(
            actor=actor,
            organization=organization,
            email=email,
            role=role,
            invited_by=invited_by,
            mailing=mailing,
        )
    except InvalidRequest as refused:
        return Outcome(email, refused=refused.message.removeprefix("email: "))
    return Outcome(invite.email, invite, link="" if mail.leaves() else invites.link(token))
