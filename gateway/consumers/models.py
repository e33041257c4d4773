"""`GET /v1/models` and `GET /v1/models/{id}`, in Anthropic's shape or, without `anthropic-version`, OpenAI's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.consumers import headers as request_headers
from gateway.consumers.authentication import authenticate, workspace_of
from gateway.consumers.base import GatewayConsumer
from gateway.consumers.page_query import PageQuery, page_query
from gateway.directory.catalog import CatalogModel, permitted
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.principal import Workspace, denied_by
from gateway.protocol.chat.errors import param_and_code

_FOR_CLAUDE_CODE = ("claude", "anthropic")


class ModelInfo(msgspec.Struct):
    """A model for both SDKs at once: Anthropic's fields, and `object`, `created`, `owned_by` for OpenAI's."""

    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | None
    max_tokens: int | None
    created: int
    owned_by: str
    type: str = "model"
    object: str = "model"
    lifecycle: str = "active"
    line: str | None = None
    deprecated_at: str | None = None
    retires_at: str | None = None
    capabilities: None = None


class AnthropicPage(msgspec.Struct):
    data: list[ModelInfo]
    has_more: bool
    first_id: str | None
    last_id: str | None


class OpenAIModel(msgspec.Struct):
    id: str
    created: int
    owned_by: str
    object: str = "model"


class OpenAIPage(msgspec.Struct):
    data: list[OpenAIModel]
    object: str = "list"


class ModelsConsumer(GatewayConsumer):
    endpoint = "models"
    methods = ("GET", "HEAD")

    async def answer(self) -> None:
        request_headers.version_of(self.headers)
        principal = await authenticate(self.headers, self.address, self.plane.directory, self.plane.limiter)
        self.organization_id = str(principal.organization_id)
        workspace = workspace_of(principal, self.headers)
        name = self.scope["url_route"]["kwargs"].get("name")
        models = discoverable(permitted(self.plane.directory.catalog.models, workspace))
        page: msgspec.Struct
        if name is not None:
            page = self._one(name, workspace)
        elif self._in_openais_shape:
            page = OpenAIPage([_openai_model(model) for model in models])
        else:
            page = _page(models, page_query(self.scope["query_string"]))
        await self.send_json(200, msgspec.json.encode(page), [])

    def _one(self, name: str, workspace: Workspace) -> ModelInfo:
        model = self.plane.directory.catalog.find(name)
        if model is None or denied_by(workspace, model.names):
            raise NotFound(f"model: {name}")
        return _info(model)

    def told(self, error: GatewayError) -> tuple[int, bytes]:
        """Clients of OpenAI's SDKs, which send no version of Anthropic's, find their `param` and `code` in it too."""
        if not self._in_openais_shape:
            return super().told(error)
        param, code = param_and_code(error)
        detail = {"type": error.type, "message": error.message, "param": param, "code": code}
        body = {"type": "error", "error": detail, "request_id": self.request_id}
        return error.status, msgspec.json.encode(body)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """And their name for the request's id."""
        if self._in_openais_shape:
            headers.append((b"x-request-id", self.request_id.encode()))
        await super().start(status, headers)

    @property
    def _in_openais_shape(self) -> bool:
        """Also of a request whose headers were not read, since something is wrong with them."""
        return all(name != b"anthropic-version" for name, _ in self.scope["headers"])


def discoverable(models: Sequence[CatalogModel]) -> list[CatalogModel]:
    """The models, and once more under their aliases those that Claude Code would not offer by their name.

    It looks at ids that begin with `claude` or `anthropic`; older releases at those that have it anywhere.
    """
    listed: list[CatalogModel] = []
    for model in models:
        listed.append(model)
        if not model.name.lower().startswith(_FOR_CLAUDE_CODE):
            listed += [
                msgspec.structs.replace(model, name=alias)
                for alias in model.aliases
                if any(word in alias.lower() for word in _FOR_CLAUDE_CODE)
            ]
    return listed


def _page(models: list[CatalogModel], asked: PageQuery) -> AnthropicPage:
    """One page, newest first. Raises `InvalidRequest` naming the parameter."""
    limit, after, before = asked.limit, asked.after_id, asked.before_id
    names = [model.name for model in models]
    if before:
        end = _position(names, "before_id", before)
        chosen, more = models[max(0, end - limit) : end], end > limit
    else:
        start = _position(names, "after_id", after) + 1 if after else 0
        chosen, more = models[start : start + limit], len(models) > start + limit
    data = [_info(model) for model in chosen]
    return AnthropicPage(data, more, data[0].id if data else None, data[-1].id if data else None)


def _position(names: list[str], parameter: str, name: str) -> int:
    if name not in names:
        raise InvalidRequest(f"{parameter}: no such model")
    return names.index(name)


def _info(model: CatalogModel) -> ModelInfo:
    return ModelInfo(
        id=model.name,
        display_name=model.display_name,
        created_at=model.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        max_input_tokens=model.max_input_tokens,
        max_tokens=model.max_output_tokens,
        created=int(model.created_at.timestamp()),
        owned_by=_owner(model),
    )


def _openai_model(model: CatalogModel) -> OpenAIModel:
    return OpenAIModel(model.name, int(model.created_at.timestamp()), _owner(model))


def _owner(model: CatalogModel) -> str:
    return model.targets[0].provider if model.targets else "gateway"
