"""Temperature and `top_p` of OpenAI's clients, as far as a model of the Anthropic dialect takes them."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.families import Family
from gateway.protocol.anthropic.written import Request
from gateway.protocol.body import Body
from gateway.protocol.chat.request import optional

_number = msgspec.json.Decoder(float | None)


def set_sampling(written: Request, body: Body, family: Family, dropped: dict[str, None]) -> None:
    """The default, 1, needs no saying; where only one may stand the temperature does."""
    temperature, top_p = _sampling(body, "temperature", 2.0), _sampling(body, "top_p", 1.0)
    thinks = written.thinking and written.thinking.type != "disabled"
    if temperature is not None and family.sampling and not thinks:
        written.temperature = min(temperature, family.hottest)
    elif temperature not in (None, 1):
        dropped["temperature"] = None
    alone = family.both_samplings or written.temperature is UNSET
    if top_p is not None and family.sampling and not thinks and alone:
        written.top_p = top_p
    elif top_p not in (None, 1):
        dropped["top_p"] = None


def _sampling(body: Body, name: str, most: float) -> float | None:
    value = optional(body, name, _number)
    if value is not None and not 0 <= value <= most:
        raise InvalidRequest(f"{name}: Input should be between 0 and {most:g}")
    return value
