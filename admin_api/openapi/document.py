"""The OpenAPI document: the Admin and the platform API as their handlers say, the data plane as written beside them.

Made when first asked for, then kept. It is public, and says nothing of this installation but its address.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator

from admin_api.openapi import basics
from admin_api.openapi.tags import CHAPTERS
from admin_api.versions import DEFAULT_VERSION, VERSIONS
from gateway import __version__

Schema = dict[str, Any]

PATTERNS = [
    path("v1/organizations/", include("admin_api.urls")),
    path("platform/v1/", include("admin_api.platform_urls")),
]
DATA_PLANE = Path(__file__).with_name("data_plane.yaml")


@functools.cache
def document() -> Schema:
    """The whole document; not to be changed."""
    schema: Schema = Generator(patterns=PATTERNS).get_schema(request=None, public=True)
    schema["info"] |= {"version": __version__, "description": basics.written()}
    schema["servers"] = [{"url": settings.CONFIGURATION.base_url}]
    return schema


@functools.cache
def written() -> bytes:
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


@functools.cache
def etag() -> str:
    return f'"{hashlib.sha256(written()).hexdigest()[:32]}"'


class Generator(SchemaGenerator):
    """`anthropic-version` is a header like any other here: the document has all versions at once."""

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)
        view.versioning_class = None
        return view


def add_data_plane(result: Schema, **_: Any) -> Schema:
    """A postprocessing hook: paths and components that no view of Django REST framework describes."""
    beside = copy.deepcopy(_data_plane())
    for kind, named in _common_components().items():
        beside["components"].setdefault(kind, {}).update(named)
    for kind, named in beside["components"].items():
        taken = result["components"].setdefault(kind, {})
        if twice := taken.keys() & named.keys():
            raise ValueError(f"{kind}: {sorted(twice)} are described here and by a serializer")
        taken.update(named)
    result["paths"].update(beside["paths"])
    return result


def in_order(result: Schema, **_: Any) -> Schema:
    """A postprocessing hook: by chapter, then by path; components by name."""
    order = [name for name, _, _ in CHAPTERS]
    paths = result["paths"]
    chapters = {path: order.index(next(iter(paths[path].values()))["tags"][0]) for path in paths}
    result["paths"] = {path: paths[path] for path in sorted(paths, key=lambda path: (chapters[path], path))}
    result["components"] = {
        kind: dict(sorted(named.items())) for kind, named in sorted(result["components"].items())
    }
    used = set(chapters.values())
    result["tags"] = [
        {"name": name, "description": about}
        for place, (name, _, about) in enumerate(CHAPTERS)
        if place in used
    ]
    return result


@functools.cache
def _data_plane() -> Schema:
    loaded: Schema = yaml.safe_load(DATA_PLANE.read_text())
    return loaded


def _common_components() -> dict[str, Schema]:
    """Headers of every request and answer."""
    version = {"type": "string", "enum": list(VERSIONS), "default": DEFAULT_VERSION}
    beta = "Names of betas, after commas. Taken, and decides nothing here."
    return {
        "parameters": {
            "anthropic-version": _header_parameter("anthropic-version", "The version of the API.", version),
            "anthropic-beta": _header_parameter("anthropic-beta", beta, {"type": "string"}),
        },
        "headers": {
            "request-id": {
                "description": "The request's id, also in the envelope of errors and in the gateway's log.",
                "required": True,
                "schema": {"type": "string"},
            },
            "anthropic-organization-id": {
                "description": "The organization of the credential, where it has one.",
                "schema": {"type": "string", "format": "uuid"},
            },
        },
    }


def _header_parameter(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "header", "description": description, "schema": schema}
