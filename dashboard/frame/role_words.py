"""What roles are called, and what they let people do, in a few words."""

from __future__ import annotations

from admin_api.roles import GRANTABLE, GRANTABLE_IN_WORKSPACE, Role, WorkspaceRole

WHO_MAKES_ADMINS = (
    "Only an operator of this gateway can make somebody an admin: with manage.py set_role for a member, "
    "with manage.py invite for somebody new."
)
ROLES = {
    Role.USER: "User",
    Role.DEVELOPER: "Developer",
    Role.BILLING: "Billing",
    Role.CLAUDE_CODE_USER: "Claude Code user",
    Role.ADMIN: "Admin",
}
MAY = {
    Role.USER: "uses models and sees their own usage",
    Role.DEVELOPER: "works with keys, batches and logs",
    Role.BILLING: "sees usage and cost, sets budgets",
    Role.CLAUDE_CODE_USER: "uses Claude Code and sees their own usage",
    Role.ADMIN: "runs the organization",
}
WORKSPACE_ROLES = {
    WorkspaceRole.USER: "Workspace user",
    WorkspaceRole.DEVELOPER: "Workspace developer",
    WorkspaceRole.RESTRICTED_DEVELOPER: "Workspace restricted developer",
    WorkspaceRole.ADMIN: "Workspace admin",
    WorkspaceRole.BILLING: "Workspace billing",
}
GRANTED = [(str(role), f"{ROLES[role]}: {MAY[role]}") for role in GRANTABLE]
GRANTED_IN_WORKSPACE = [(str(role), WORKSPACE_ROLES[role]) for role in GRANTABLE_IN_WORKSPACE]


def role_name(role: str) -> str:
    """Of the organization or of a workspace."""
    return ROLES[Role(role)] if role in ROLES else WORKSPACE_ROLES[WorkspaceRole(role)]
