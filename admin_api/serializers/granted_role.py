"""A role that the API may grant in an organization, as invites and members take it."""

from __future__ import annotations

from typing import Any, ClassVar

from admin_api.roles import GRANTABLE, Role
from admin_api.serializers.base import Choice

BY_OPERATORS = (
    f'"admin" is not a valid value; expected one of {", ".join(GRANTABLE)}. Operators grant it on the gateway\'s '
    "machine: manage.py invite --role admin, or manage.py set_role"
)


class GrantedRole(Choice):
    """Whoever asks for `admin` is told who grants it."""

    default_error_messages: ClassVar = {"admin": BY_OPERATORS}

    def __init__(self, **options: Any) -> None:
        usual = {"help_text": "`admin` cannot be granted through the API."}
        super().__init__(GRANTABLE, **usual | options)

    def to_internal_value(self, data: object) -> str:
        if data == Role.ADMIN:
            self.fail("admin")
        return str(super().to_internal_value(data))
