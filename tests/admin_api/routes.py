"""Every route of the Admin API and of the platform API, as the resolver knows them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from django.urls import URLPattern, URLResolver

from admin_api.operation import Forms, forms_of
from admin_api.views.base import ApiView
from gateway.urls import urlpatterns

ADMIN, PLATFORM = "/v1/organizations/", "/platform/v1/"
PARAMETER = re.compile(r"<(\w+)>")
# The spelling for an SDK whose base_url already ends in /v1 leads to the same views.
DOUBLED = "(?:v1/)?"


@dataclasses.dataclass(frozen=True)
class Route:
    """One method of one path, such as `GET /v1/organizations/users/<user_id>`."""

    method: str
    path: str
    view: type[ApiView]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_platform(self) -> bool:
        return self.path.startswith(PLATFORM)

    @property
    def parameters(self) -> list[str]:
        return PARAMETER.findall(self.path)

    @property
    def forms(self) -> Forms:
        return forms_of(getattr(self.view, self.method.lower()))

    def at(self, ids: Mapping[str, str]) -> str:
        """The path with these ids in it."""
        return PARAMETER.sub(lambda found: quote(ids[found[1]], safe=""), self.path)


def _routes() -> Iterator[Route]:
    for path, pattern in _walked(urlpatterns, "/"):
        if path.startswith((ADMIN, PLATFORM)):
            view = pattern.callback.cls
            for method in ("get", "post", "put", "patch", "delete"):
                if hasattr(view, method) and method in view.http_method_names:
                    yield Route(method.upper(), path, view)


def _walked(patterns: Sequence[Any], before: str) -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        path = before + _plain(str(one.pattern))
        if isinstance(one, URLResolver):
            yield from _walked(one.url_patterns, path)
        else:
            yield path, one


def _plain(pattern: str) -> str:
    return re.sub(r"<\w+:(\w+)>", r"<\1>", pattern.removeprefix("^").replace(DOUBLED, ""))


ROUTES = list(_routes())
