"""The only way to a tenant's rows: what is absent and what is foreign look the same.

First from a signed-in user to their organizations, then from an organization to what is its own. Operators, who
belong to none, come from the names of the catalog, and from any organization's id.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet

from admin_api.queries import catalog, request_log, service_accounts
from admin_api.queries.api_keys import api_keys, keys_for
from admin_api.queries.audit_entries import audit_entries
from admin_api.queries.budgets import budget_limits
from admin_api.queries.log_sight import sight_of
from admin_api.queries.member_workspaces import playground_workspaces, visible_workspaces
from admin_api.queries.message_batches import message_batches
from admin_api.queries.request_log import LoggedRequest
from admin_api.queries.spend_limit_increase_requests import increase_requests
from admin_api.queries.spend_limits import spend_limits
from admin_api.queries.webhook_endpoints import webhook_endpoints
from admin_api.queries.workspace_members import workspace_members
from gateway.errors import NotFound
from gateway.models import (
    ApiKey,
    AuditEntry,
    Invite,
    Membership,
    MessageBatch,
    Model,
    ModelGroup,
    OperatorKey,
    Organization,
    Provider,
    ProviderCheck,
    SavedPrompt,
    ServiceAccount,
    ServiceAccountWorkspace,
    SpendLimit,
    SpendLimitIncreaseRequest,
    Tier,
    User,
    WebhookEndpoint,
    Workspace,
)


def memberships_of(user: User, among: Collection[uuid.UUID] | None = None) -> list[Membership]:
    """Every organization the user belongs to, by name, each with its tier; only those `among`, where it is given."""
    return list(_mine(user, among).order_by("organization__name"))


def membership_for(
    user: User,
    organization_id: str | uuid.UUID | None = None,
    among: Collection[uuid.UUID] | None = None,
) -> Membership:
    """The user's place in that organization; without an id, in the one they joined first. `among` is what the session
    may see, where that is not all.

    Raises `NotFound` where the id is malformed, or names no organization, or one of other people.
    """
    mine = _mine(user, among)
    if organization_id is not None:
        mine = mine.filter(organization_id=_identifier(organization_id))
    membership = mine.order_by("added_at", "id").first()
    if membership is None:
        raise NotFound("Organization not found.")
    return membership


def _mine(user: User, among: Collection[uuid.UUID] | None) -> QuerySet[Membership]:
    mine = Membership.objects.filter(user=user).select_related("organization__tier")
    return mine if among is None else mine.filter(organization_id__in=among)


def organization_for(user: User, organization_id: str | uuid.UUID | None = None) -> Organization:
    """As `membership_for`, where the role does not matter."""
    return membership_for(user, organization_id).organization


def _identifier(organization_id: str | uuid.UUID) -> uuid.UUID:
    try:
        return uuid.UUID(str(organization_id))
    except ValueError:
        raise NotFound("Organization not found.") from None


def any_organization(organization_id: str) -> Organization:
    """For operators only: whoever's, with its tier."""
    rows = Organization.objects.select_related("tier").filter(id=_identifier(organization_id))
    found: Organization = _row(rows, "Organization not found.")
    return found


def admin_key(organization: Organization, api_key_id: str) -> ApiKey:
    """For operators only, since the organization's own API knows of no Admin keys."""
    rows = ApiKey.objects.filter(organization=organization, kind=ApiKey.Kind.ADMIN)
    found: ApiKey = _row(rows, "Admin key not found.", id=api_key_id)
    return found


def provider(name: str) -> Provider:
    """For operators only, with its keys."""
    found: Provider = _row(catalog.providers(), "Provider not found.", name=name)
    return found


def catalog_model(name: str) -> Model:
    """For operators only: the model that is served under this name, as `catalog.models` has it."""
    found: Model = _row(catalog.models(), "Model not found.", name=name)
    return found


def model_group(name: str) -> ModelGroup:
    """For operators only."""
    found: ModelGroup = _row(catalog.model_groups(), "Model group not found.", name=name)
    return found


def tier(name: str) -> Tier:
    """For operators only."""
    found: Tier = _row(Tier.objects.all(), "Tier not found.", name=name)
    return found


def operator_key(operator_key_id: str) -> OperatorKey:
    """For operators only, usable or not."""
    found: OperatorKey = _row(OperatorKey.objects.all(), "Operator key not found.", id=operator_key_id)
    return found


def provider_check(provider: Provider, check_id: int) -> ProviderCheck:
    """For operators only: a test call of this provider."""
    found = ProviderCheck.objects.filter(provider=provider.name, id=check_id).first()
    if found is None:
        raise NotFound("Test call not found.")
    return found


def audit_entry(organization: Organization | None, entry_id: int) -> AuditEntry:
    """A line of the organization's audit log; with None, for operators only, any line."""
    found = audit_entries(organization).filter(id=entry_id).first()
    if found is None:
        raise NotFound("Audit entry not found.")
    return found


def member(organization: Organization, user_id: str) -> Membership:
    """The place of that user in the organization, with the user."""
    rows = Membership.objects.filter(organization=organization).select_related("user")
    found: Membership = _row(rows, "User not found.", user_id=user_id)
    return found


def invite(organization: Organization, invite_id: str) -> Invite:
    """An invite into the organization, whatever its state."""
    rows = Invite.objects.filter(organization=organization)
    found: Invite = _row(rows, "Invite not found.", id=invite_id)
    return found


def workspace(organization: Organization, workspace_id: str) -> Workspace:
    """A workspace of the organization, whatever its state."""
    rows = Workspace.objects.filter(organization=organization)
    found: Workspace = _row(rows, "Workspace not found.", id=workspace_id)
    return found


def visible_workspace(member: Membership, workspace_id: str) -> Workspace:
    """A workspace whose pages the member may read, whatever its state."""
    found: Workspace = _row(visible_workspaces(member), "Workspace not found.", id=workspace_id)
    return found


def default_workspace(organization: Organization) -> Workspace:
    """The one that every organization has."""
    found: Workspace = organization.workspaces.get(is_default=True)
    return found


def service_account(organization: Organization, service_account_id: str) -> ServiceAccount:
    """A service account of the organization, whatever its state."""
    rows = ServiceAccount.objects.filter(organization=organization)
    found: ServiceAccount = _row(rows, "Service account not found.", id=service_account_id)
    return found


def service_account_place(workspace: Workspace, account: ServiceAccount) -> ServiceAccountWorkspace:
    """What a service account is in a workspace of its organization: as it was given, or what it implicitly is."""
    found = service_accounts.place_in(workspace, account)
    if found is None:
        raise NotFound("Service account not found.")
    return found


def api_key(organization: Organization, api_key_id: str) -> ApiKey:
    """An API key of the organization, whatever its state; Admin keys are not to be had this way."""
    found: ApiKey = _row(api_keys(organization), "API key not found.", id=api_key_id)
    return found


def api_key_for(member: Membership, api_key_id: str) -> ApiKey:
    """An API key that the member sees, as `keys_for` has them."""
    found: ApiKey = _row(keys_for(member), "API key not found.", id=api_key_id)
    return found


def workspace_member(workspace: Workspace, user_id: str) -> Membership:
    """Who works in the workspace, as `workspace_members` has them."""
    found: Membership = _row(workspace_members(workspace), "Workspace member not found.", user_id=user_id)
    return found


def spend_limit(organization: Organization, spend_limit_id: str) -> SpendLimit:
    """A spend limit of the organization; those of single keys belong to the keys."""
    found: SpendLimit = _row(spend_limits(organization), "Spend limit not found.", id=spend_limit_id)
    return found


def budget(organization: Organization, spend_limit_id: str) -> SpendLimit:
    """Any spend limit of the organization, also one of a key, with whose it is."""
    found: SpendLimit = _row(budget_limits(organization), "Budget not found.", id=spend_limit_id)
    return found


def spend_limit_increase_request(organization: Organization, request_id: str) -> SpendLimitIncreaseRequest:
    """What a member of the organization asked for, decided or not, with the user."""
    rows, absent = increase_requests(organization), "Spend limit increase request not found."
    found: SpendLimitIncreaseRequest = _row(rows, absent, id=request_id)
    return found


def message_batch(member: Membership, batch_id: str) -> MessageBatch:
    """A message batch of a workspace where the member works with keys, with the workspace."""
    found: MessageBatch = _row(message_batches(member), "Message batch not found.", id=batch_id)
    return found


def playground_workspace(member: Membership, workspace_id: str) -> Workspace:
    """A workspace that the member may use from the Playground; no id is the default one."""
    rows, absent = playground_workspaces(member), "Workspace not found."
    found: Workspace = (
        _row(rows, absent, id=workspace_id) if workspace_id else _row(rows.filter(is_default=True), absent)
    )
    return found


def saved_prompt(member: Membership, prompt_id: str) -> SavedPrompt:
    """A prompt that the member saved in this organization."""
    rows = SavedPrompt.objects.filter(organization=member.organization_id, user=member.user_id)
    found: SavedPrompt = _row(rows, "Saved prompt not found.", id=prompt_id)
    return found


def logged_request(member: Membership, request_id: str) -> LoggedRequest:
    """A request that the member sees in the logs, with all that is known of it."""
    known = None if "\x00" in request_id else request_log.one(sight_of(member), request_id)
    if known is None:
        raise NotFound("Request not found.")
    return known


def webhook_endpoint(organization: Organization, endpoint_id: str) -> WebhookEndpoint:
    """A webhook endpoint of the organization, enabled or not."""
    rows = webhook_endpoints(organization)
    found: WebhookEndpoint = _row(rows, "Webhook endpoint not found.", id=endpoint_id)
    return found


def _row(rows: QuerySet[Any], absent: str, **ids: str) -> Any:
    """The one row with these ids; `rows` are the organization's. PostgreSQL takes no NUL, and no id has one."""
    found = None if any("\x00" in id for id in ids.values()) else rows.filter(**ids).first()
    if found is None:
        raise NotFound(absent)
    return found
