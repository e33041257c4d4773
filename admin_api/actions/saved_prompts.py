"""Keep prompts of the Playground, and let them go."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from gateway.errors import InvalidRequest
from gateway.models import Membership, Organization, SavedPrompt

LONGEST_NAME = 200
MOST_BYTES = 512 * 1024
MOST_PROMPTS = 200


@transaction.atomic
def save(*, actor: Actor, member: Membership, name: str, content: Mapping[str, object]) -> SavedPrompt:
    """Under a name that is there already, in place of what stood there. Raises `InvalidRequest`."""
    Organization.objects.select_for_update(no_key=True).get(pk=member.organization_id)
    mine = SavedPrompt.objects.filter(organization=member.organization_id, user=member.user_id)
    name = _checked_name(name)
    _check_size(content)
    if mine.exclude(name=name).count() >= MOST_PROMPTS:
        raise InvalidRequest(f"name: there are {MOST_PROMPTS} saved prompts; delete one first")
    prompt, _ = SavedPrompt.objects.update_or_create(
        organization_id=member.organization_id,
        user_id=member.user_id,
        name=name,
        defaults={"content": dict(content), "updated_at": timezone.now()},
    )
    _record(actor, "saved_prompt.saved", prompt)
    return prompt


@transaction.atomic
def delete(*, actor: Actor, prompt: SavedPrompt) -> None:
    _record(actor, "saved_prompt.deleted", prompt)
    prompt.delete()


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name:
        raise InvalidRequest(f"name: expected 1 to {LONGEST_NAME} characters")
    return name


def _check_size(content: Mapping[str, object]) -> None:
    text = json.dumps(content)
    if len(text) > MOST_BYTES:
        raise InvalidRequest(f"name: this prompt is longer than {MOST_BYTES // 1024} KB")
    if "\\u0000" in text:
        raise InvalidRequest("name: this prompt has a NUL character, which cannot be stored")


def _record(actor: Actor, action: str, prompt: SavedPrompt) -> None:
    """What the prompt says, and what it is called, is its owner's own."""
    audit.record(
        actor=actor,
        action=action,
        target_type="saved_prompt",
        target_id=prompt.id,
        organization_id=prompt.organization_id,
    )
