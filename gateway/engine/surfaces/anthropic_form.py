"""What all surfaces share: a request in Anthropic's words finds its passage to any target."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.passages.passage import Passage
from gateway.engine.passages.relayed import Relayed
from gateway.engine.passages.retold import Narrator, Retold
from gateway.engine.passages.translated import Names, Translated
from gateway.protocol import body as guarded
from gateway.protocol.anthropic import families
from gateway.protocol.anthropic.families import Family
from gateway.protocol.anthropic.request import MessageRequest, message_request

COMMENT_PING = b": ping\n\n"  # OpenAI's SDKs take an event of their name for an answer, but skip comments


def retold_passage(
    body: bytes,
    narrator: Narrator,
    call: Call,
    target: Target,
    foreign: Collection[str],
    *,
    dropped: Sequence[str],
) -> Passage:
    """That of a request put into Anthropic's words (`body`, less `dropped`), whose answer is told again."""
    request = message_request(guarded.parse(body))
    inner = anthropic_passage(request, call, target, foreign)
    if call.inference_geo:  # told after all
        dropped = [name for name in dropped if name != "inference_geo"]
    return Retold(inner, narrator, stream=call.stream, dropped=dropped)


def anthropic_passage(
    request: MessageRequest,
    call: Call,
    target: Target,
    foreign: Collection[str],
    *,
    endpoint: str = "messages",
) -> Passage:
    """The passage of a request that is in Anthropic's words."""
    if target.dialect != "openai":
        return Relayed(
            request.body,
            endpoint=endpoint,
            model=target.upstream_model,
            request_id=call.request_id,
            foreign=foreign,
            inference_geo=call.inference_geo,
        )
    return Translated(
        request,
        names=Names(call.model.name, target.upstream_model),
        profile=target.vendor.profile_of(target.upstream_model),
        max_output_tokens=call.model.max_output_tokens,
        request_id=call.request_id,
    )


def family_of(target: Target) -> Family:
    """What may be said in Anthropic's words: all of it where they are only the way to another dialect."""
    return families.OPEN if target.dialect == "openai" else families.family_of(target.upstream_model)
