"""Which roles may be granted by whom, in one place.

The Admin API grants what Anthropic's grants: never `admin`, whoever asks.
"""

from __future__ import annotations

from gateway.models import Membership, WorkspaceMember

Role = Membership.Role
GRANTABLE = (Role.USER, Role.DEVELOPER, Role.BILLING, Role.CLAUDE_CODE_USER)

WorkspaceRole = WorkspaceMember.Role
GRANTABLE_IN_WORKSPACE = (
    WorkspaceRole.USER,
    WorkspaceRole.DEVELOPER,
    WorkspaceRole.RESTRICTED_DEVELOPER,
    WorkspaceRole.ADMIN,
)

# What a role in the organization makes of its holder in every workspace, whatever stands there.
INHERITED = {Role.ADMIN: WorkspaceRole.ADMIN, Role.BILLING: WorkspaceRole.BILLING}

# Everybody in the organization works in the default workspace, with this role; others as `WorkspaceRole.USER`.
IN_DEFAULT_WORKSPACE = {**INHERITED, Role.DEVELOPER: WorkspaceRole.DEVELOPER}

# Who may try models in the browser, at the workspace's cost.
USE_PLAYGROUND = (
    WorkspaceRole.USER,
    WorkspaceRole.DEVELOPER,
    WorkspaceRole.RESTRICTED_DEVELOPER,
    WorkspaceRole.ADMIN,
)

# Who sends requests in a workspace with keys, and so sees and stops what was sent there in batches.
WORK_WITH_KEYS = (WorkspaceRole.ADMIN, WorkspaceRole.DEVELOPER, WorkspaceRole.RESTRICTED_DEVELOPER)
