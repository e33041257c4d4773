"""The credentials that each kind of authentication takes, as security schemes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import SAFE_METHODS

Schema = dict[str, Any]


class AdminKeyScheme(OpenApiAuthenticationExtension):
    """A key in either header."""

    target_class = "admin_api.authentication.AdminKeyAuthentication"
    name = ["adminKey", "adminKeyAsBearer"]  # noqa: RUF012 - the library's own attribute
    about = "An Admin key, `sk-gw-admin01-...`."

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        return [
            api_key("x-api-key", self.about),
            {"type": "http", "scheme": "bearer", "description": self.about},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]


class OperatorKeyScheme(AdminKeyScheme):
    target_class = "admin_api.authentication.OperatorKeyAuthentication"
    name = ["operatorKey", "operatorKeyAsBearer"]  # noqa: RUF012 - the library's own attribute
    about = "An operator key, `sk-gw-operator01-...`."


class SessionScheme(OpenApiAuthenticationExtension):
    """The session of somebody signed in; what changes anything needs the page's token too."""

    target_class = "admin_api.authentication.SessionAuthentication"
    name = ["session", "csrfToken"]  # noqa: RUF012 - the library's own attribute

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        words = "The session of an admin who is signed in to the dashboard."
        token = "The CSRF token of the dashboard's pages, wherever a session changes something."
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": words},
            api_key("X-CSRFToken", token),
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[Any]]:
        return {name: [] for name in (self.name[:1] if auto_schema.method in SAFE_METHODS else self.name)}


def api_key(header: str, description: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": header, "description": description}
