"""What a client asked for, checked against what it may have: the model, and how much output."""

from __future__ import annotations

import msgspec

from gateway.directory.catalog import Catalog, CatalogModel
from gateway.engine.call import Surface
from gateway.errors import InvalidRequest, NotFound, PermissionDenied
from gateway.principal import Workspace, denied_by
from gateway.protocol.body import Body

WHOSE = {"organization": "your organization", "workspace": "your workspace", "api_key": "this API key"}


class Asked(msgspec.Struct, frozen=True):
    """A checked request. `max_tokens` None: the client leaves it to us, and then `default_output` counts.

    `conversation` is the client's name for it, if it stands in the body.
    """

    body: Body
    model: str
    max_tokens: int | None
    stream: bool
    surface: Surface
    default_output: int = 0
    conversation: str = ""


def permitted_model(name: str, catalog: Catalog, workspace: Workspace) -> CatalogModel:
    """Raises `NotFound`, or `PermissionDenied` where the organization, the workspace or the key may not use it."""
    model = catalog.find(name)
    if model is None:
        raise NotFound(f"model: {name}")
    if denier := denied_by(workspace, model.names):
        raise PermissionDenied(f"model: {WHOSE[denier]} may not use {name}")
    return model


def output_limit(asked: Asked, model: CatalogModel) -> int:
    """What the request may produce; more than the model gives is refused only where a client can know the limit.

    Claude Code asks any model that it does not know for 32,000, and clients of OpenAI's SDKs know no catalog.
    """
    most = model.max_output_tokens
    wanted = asked.default_output if asked.max_tokens is None else asked.max_tokens
    if most is None or wanted <= most:
        return wanted
    if asked.surface.dialect == "openai" or all(target.dialect == "openai" for target in model.targets):
        return most
    raise InvalidRequest(
        f"max_tokens: {wanted} > {most}, which is the maximum allowed number of output tokens for {asked.model}"
    )
