"""Members of a workspace, as the API shows and takes them."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.roles import GRANTABLE_IN_WORKSPACE, WorkspaceRole
from admin_api.serializers.base import Body, Choice, Constant, Text


class WorkspaceMemberSerializer(serializers.Serializer):
    """A row of `workspace_members` as `{type, user_id, workspace_id, workspace_role}`."""

    type = Constant("workspace_member")
    user_id = serializers.CharField()
    workspace_id = serializers.CharField()
    workspace_role = serializers.ChoiceField(WorkspaceRole.choices)


class WorkspaceMemberRemovedSerializer(serializers.Serializer):
    """`{type, user_id, workspace_id}`."""

    type = Constant("workspace_member_deleted")
    user_id = serializers.CharField()
    workspace_id = serializers.CharField()


class WorkspaceMemberAdd(Body):
    user_id = Text(max_length=100)
    workspace_role = Choice(
        GRANTABLE_IN_WORKSPACE, help_text="`workspace_billing` comes from the organization role `billing`."
    )


class WorkspaceMemberUpdate(Body):
    workspace_role = Choice(
        WorkspaceRole.values, help_text="`workspace_billing` only for those who have it already."
    )
