"""The Admin API below `/v1/organizations/`. No path ends in a slash, none redirects."""

from django.urls import path

from admin_api.views.api_keys import ApiKeyRotateView, ApiKeysView, ApiKeyView
from admin_api.views.invites import InvitesView, InviteView
from admin_api.views.limit_blocks import LimitBlocksView
from admin_api.views.organization import OrganizationView
from admin_api.views.rate_limits import RateLimitsView, WorkspaceRateLimitsView, WorkspaceRateLimitView
from admin_api.views.reports import ClaudeCodeReportView, CostReportView, UsageReportView
from admin_api.views.service_account_workspaces import (
    ServiceAccountWorkspacesView,
    ServiceAccountWorkspaceView,
    WorkspaceServiceAccountsView,
    WorkspaceServiceAccountView,
)
from admin_api.views.service_accounts import (
    ServiceAccountArchiveView,
    ServiceAccountsView,
    ServiceAccountView,
)
from admin_api.views.spend_limit_increase_requests import (
    IncreaseRequestApproveView,
    IncreaseRequestDenyView,
    IncreaseRequestsView,
    IncreaseRequestView,
)
from admin_api.views.spend_limits import EffectiveSpendLimitsView, SpendLimitsView, SpendLimitView
from admin_api.views.users import UsersView, UserView
from admin_api.views.webhook_endpoints import (
    WebhookEndpointsView,
    WebhookEndpointView,
    WebhookSigningSecretView,
)
from admin_api.views.workspace_members import WorkspaceMembersView, WorkspaceMemberView
from admin_api.views.workspaces import WorkspaceArchiveView, WorkspacesView, WorkspaceView

urlpatterns = [
    path("me", OrganizationView.as_view()),
    path("rate_limits", RateLimitsView.as_view()),
    path("limits/blocks", LimitBlocksView.as_view()),
    path("spend_limits", SpendLimitsView.as_view()),
    path("spend_limits/effective", EffectiveSpendLimitsView.as_view()),
    path("spend_limits/<str:spend_limit_id>", SpendLimitView.as_view()),
    path("spend_limit_increase_requests", IncreaseRequestsView.as_view()),
    path("spend_limit_increase_requests/<str:request_id>", IncreaseRequestView.as_view()),
    path("spend_limit_increase_requests/<str:request_id>/approve", IncreaseRequestApproveView.as_view()),
    path("spend_limit_increase_requests/<str:request_id>/deny", IncreaseRequestDenyView.as_view()),
    path("webhooks", WebhookEndpointsView.as_view()),
    path("webhooks/<str:webhook_endpoint_id>", WebhookEndpointView.as_view()),
    path("webhooks/<str:webhook_endpoint_id>/regenerate_signing_secret", WebhookSigningSecretView.as_view()),
    path("cost_report", CostReportView.as_view()),
    path("usage_report/claude_code", ClaudeCodeReportView.as_view()),
    path("usage_report/messages", UsageReportView.as_view()),
    path("users", UsersView.as_view()),
    path("users/<str:user_id>", UserView.as_view()),
    path("invites", InvitesView.as_view()),
    path("invites/<str:invite_id>", InviteView.as_view()),
    path("workspaces", WorkspacesView.as_view()),
    path("workspaces/<str:workspace_id>", WorkspaceView.as_view()),
    path("workspaces/<str:workspace_id>/archive", WorkspaceArchiveView.as_view()),
    path("workspaces/<str:workspace_id>/members", WorkspaceMembersView.as_view()),
    path("workspaces/<str:workspace_id>/members/<str:user_id>", WorkspaceMemberView.as_view()),
    path("workspaces/<str:workspace_id>/rate_limits", WorkspaceRateLimitsView.as_view()),
    path("workspaces/<str:workspace_id>/rate_limits/<str:rate_limit_id>", WorkspaceRateLimitView.as_view()),
    path("api_keys", ApiKeysView.as_view()),
    path("api_keys/<str:api_key_id>", ApiKeyView.as_view()),
    path("api_keys/<str:api_key_id>/rotate", ApiKeyRotateView.as_view()),
    path("service_accounts", ServiceAccountsView.as_view()),
    path("service_accounts/<str:service_account_id>", ServiceAccountView.as_view()),
    path("service_accounts/<str:service_account_id>/archive", ServiceAccountArchiveView.as_view()),
    path("service_accounts/<str:service_account_id>/workspaces", ServiceAccountWorkspacesView.as_view()),
    path(
        "service_accounts/<str:service_account_id>/workspaces/<str:workspace_id>",
        ServiceAccountWorkspaceView.as_view(),
    ),
    path("workspaces/<str:workspace_id>/service_accounts", WorkspaceServiceAccountsView.as_view()),
    path(
        "workspaces/<str:workspace_id>/service_accounts/<str:service_account_id>",
        WorkspaceServiceAccountView.as_view(),
    ),
]
