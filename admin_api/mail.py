"""What the gateway mails to people, through Django's mail backend; plain text, so that every reader shows it."""

from __future__ import annotations

import smtplib

import structlog
from django.conf import settings
from django.core.mail import send_mail

from admin_api.vault import vault
from gateway.errors import Unavailable
from gateway.models import Invite, Mail

log = structlog.get_logger(__name__)

INVITATION = """\
{inviter} invites you to join {organization} with the role {role}.

Open this address to accept; it works once, for {email} only, until {until} UTC:

{link}

If you did not expect this, nothing happens unless you open it.
"""


def leaves() -> bool:
    """Whether mail is set up here (`EMAIL_URL`)."""
    return bool(settings.CONFIGURATION.email_settings)


def send_invitation(invite: Invite, link: str) -> None:
    """Raises `Unavailable` where the mail server does not take it."""
    subject, text = _invitation(invite, link)
    try:
        send_mail(subject, text, None, [invite.email])
    except (smtplib.SMTPException, OSError) as problem:
        log.error("mail_not_sent", invite_id=invite.id, error=type(problem).__name__)
        raise Unavailable("The invitation could not be sent, so it was not made. Please try again.") from None


def post_invitation(invite: Invite, link: str) -> None:
    """Leaves it to a worker. The link is a secret of which the database has only a digest, so it waits encrypted."""
    subject, text = _invitation(invite, link)
    Mail.objects.create(
        organization_id=invite.organization_id,
        recipient=invite.email,
        subject=subject[:300],
        text="",
        sealed=vault().encrypt(text),
    )


def _invitation(invite: Invite, link: str) -> tuple[str, str]:
    """Subject and text."""
    organization = one_line(invite.organization.name)
    inviter = one_line(invite.invited_by.name) if invite.invited_by else "An administrator"
    text = INVITATION.format(
        inviter=inviter or "An administrator",
        organization=organization,
        role=invite.get_role_display(),
        email=invite.email,
        until=f"{invite.expires_at:%Y-%m-%d %H:%M}",
        link=link,
    )
    return f"Invitation to {organization}", text


def one_line(text: str) -> str:
    """Names are typed by people, and a header ends with its line."""
    return " ".join(text.split())
