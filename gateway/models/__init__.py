"""Every table of the gateway, one noun per module."""

from gateway.models.api_keys import ApiKey, ApiKeyUse
from gateway.models.audit import AuditEntry, AuditLink
from gateway.models.batches import BatchItem, BatchRunner, BatchTally, IdempotencyKey, MessageBatch
from gateway.models.catalog import Model, ModelAlias, ModelGroup, Price, Provider, ProviderKey, Route
from gateway.models.contents import RequestContent
from gateway.models.credit import CreditEntry
from gateway.models.deliveries import Delivery, Mail
from gateway.models.invites import Invite
from gateway.models.limit_blocks import LimitBlock
from gateway.models.operator_keys import OperatorKey
from gateway.models.organizations import Organization, Tier
from gateway.models.provider_checks import ProviderCheck
from gateway.models.saved_prompts import SavedPrompt
from gateway.models.service_accounts import ServiceAccount, ServiceAccountWorkspace
from gateway.models.sessions import BrowserSession
from gateway.models.spend_alerts import SpendAlert
from gateway.models.spend_limits import SpendLimit, SpendLimitIncreaseRequest
from gateway.models.sso import SsoConnection, SsoDomain
from gateway.models.usage import PartitionHorizon, UsageDay, UsageEvent, UsageHour, UsageMinute, UsageSession
from gateway.models.users import Membership, PasswordResetRequest, User
from gateway.models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent
from gateway.models.workspaces import Workspace, WorkspaceMember

__all__ = [
    "ApiKey",
    "ApiKeyUse",
    "AuditEntry",
    "AuditLink",
    "BatchItem",
    "BatchRunner",
    "BatchTally",
    "BrowserSession",
    "CreditEntry",
    "Delivery",
    "IdempotencyKey",
    "Invite",
    "LimitBlock",
    "Mail",
    "Membership",
    "MessageBatch",
    "Model",
    "ModelAlias",
    "ModelGroup",
    "OperatorKey",
    "Organization",
    "PartitionHorizon",
    "PasswordResetRequest",
    "Price",
    "Provider",
    "ProviderCheck",
    "ProviderKey",
    "RequestContent",
    "Route",
    "SavedPrompt",
    "ServiceAccount",
    "ServiceAccountWorkspace",
    "SpendAlert",
    "SpendLimit",
    "SpendLimitIncreaseRequest",
    "SsoConnection",
    "SsoDomain",
    "Tier",
    "UsageDay",
    "UsageEvent",
    "UsageHour",
    "UsageMinute",
    "UsageSession",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "Workspace",
    "WorkspaceMember",
]
