"""One call to a place, the way a client's would be made, read to its end.

It takes the data plane's own attempt and reads streams as the data plane does, but nobody is admitted, nothing is
billed, and no circuit hears of it.
"""

from __future__ import annotations

import time

import msgspec

from gateway.budgets import Budgets
from gateway.consumers.headers import DEFAULT_VERSION
from gateway.directory.catalog import CatalogModel
from gateway.engine.attempt import AttemptFailed, JsonAnswer, OpenStream, attempt
from gateway.engine.call import Call
from gateway.engine.surfaces.messages import MESSAGES
from gateway.errors import GatewayError
from gateway.ids import new_attempt_id, new_request_id
from gateway.principal import Principal, Workspace
from gateway.protocol import body as guarded
from gateway.protocol.anthropic import fold
from gateway.protocol.anthropic.relay import MalformedStream, State
from gateway.protocol.anthropic.usage import Usage
from gateway.provider_check import failure
from gateway.provider_check.failure import Failure, shown
from gateway.provider_check.listening import HeardDialects, HeardPassage
from gateway.provider_check.plan import Place
from gateway.scopes import Pools
from gateway.upstreams.client import Kind, UpstreamClient, UpstreamFailure

PROMPT = "Say hello in one word."
MOST_PATIENCE = 600.0  # seconds: that of a client which names none
MAX_TOKENS = 1024  # a word takes a few; a model that reasons spends hundreds before it


class Answer(msgspec.Struct, frozen=True):
    """Tokens as the provider counts them, `estimated` where it did not tell all; `text` may be cut short."""

    input_tokens: int | None
    output_tokens: int | None
    estimated: bool
    text: str
    stop_reason: str | None


class Outcome(msgspec.Struct, frozen=True):
    """How a call ended. `first` and `total` are seconds: to the head of a JSON answer or the first event of a stream
    (None if neither came), and to the end."""

    place: Place
    stream: bool
    first: float | None
    total: float
    result: Answer | Failure


class _Block(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: list[_Block] = []


_message = msgspec.json.Decoder(_Message)


async def ask(
    place: Place, client: UpstreamClient, *, stream: bool, patience: float, simulator_delay: float
) -> Outcome:
    """`patience` is for how many seconds the caller would wait for a beginning of the answer."""
    call = _call(place.model, stream=stream, patience=patience)
    wire = HeardDialects(client, simulator_delay=simulator_delay)
    first: float | None = None
    try:
        passage = HeardPassage(call.surface.passage(call, place.target))
        try:
            found = await attempt(call, place.target, passage, wire)
            first = time.perf_counter() if stream else None
            result = await _read(found, place, wire)
        except AttemptFailed as failed:
            result = failure.of_attempt(failed, place.target, wire, passage)
    except GatewayError as refused:  # what cannot be said to this provider at all
        result = Failure(None, refused.type, refused.message)
    first = first or wire.head_at
    total = time.perf_counter() - call.started
    return Outcome(place, stream, first and first - call.started, total, result)


def _call(model: CatalogModel, *, stream: bool, patience: float) -> Call:
    """What the data plane makes of a client's request."""
    most = min(MAX_TOKENS, model.max_output_tokens or MAX_TOKENS)
    messages = [{"role": "user", "content": PROMPT}]
    request = {"model": model.name, "max_tokens": most, "messages": messages, "stream": stream}
    nobody = new_attempt_id()
    workspace = Workspace("", True, Pools(nobody, ()), Budgets(nobody, ()))
    return Call(
        request_id=new_request_id(),
        endpoint="messages",
        surface=MESSAGES,
        principal=Principal("", "", nobody, "", "", None, (workspace,), False),
        workspace=workspace,
        model=model,
        model_requested=model.name,
        body=guarded.parse(msgspec.json.encode(request)),
        max_tokens=most,
        stream=stream,
        version=DEFAULT_VERSION.decode(),
        relayed=((b"anthropic-version", DEFAULT_VERSION),),
        query=b"",
        started=time.perf_counter(),
        patience=patience,
        user_agent="",
        session_id="",
    )


async def _read(found: JsonAnswer | OpenStream, place: Place, wire: HeardDialects) -> Answer | Failure:
    target = place.target
    if isinstance(found, JsonAnswer):
        whole = found.whole
        return _answer(whole.usage, whole.estimated, whole.body, whole.stop_reason, place)
    reader = found.reader
    try:
        frames = await _read_to_the_end(found, target.timeouts.idle)
    except UpstreamFailure as problem:
        return failure.of_connection(problem, target, wire.status)
    except MalformedStream as problem:
        return Failure(wire.status, "unreadable", shown(str(problem), target))
    finally:
        await found.reply.aclose()
    if reader.state is State.FAILED:
        return failure.of_event(reader.error, target, wire.status)
    return _answer(reader.usage, reader.estimated, _folded(frames), reader.stop_reason, place)


async def _read_to_the_end(opened: OpenStream, idle: float) -> bytes:
    """All frames; `idle` is how many seconds the provider may be silent between two of them."""
    frames = [opened.first]
    while not opened.reader.ended:
        chunk = await opened.reply.read(idle)
        frames.append(opened.reader.feed(chunk) if chunk else opened.reader.finish())
        if not chunk and not opened.reader.ended:
            raise UpstreamFailure(Kind.BROKEN, "the stream is not whole")
    return b"".join(frames)


def _folded(frames: bytes) -> bytes:
    """The message that a stream told, for a glance at its text only."""
    try:
        return fold.message_of(frames)
    except (MalformedStream, fold.StreamedFailure):
        return b""


def _answer(usage: Usage, estimated: bool, message: bytes, stop_reason: str | None, place: Place) -> Answer:
    """Input with what was read from a cache or written into one."""
    parts = (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
    told = [part for part in parts if part is not None]
    return Answer(
        sum(told) if told else None,
        usage.output_tokens,
        estimated,
        shown(_text_of(message), place.target),
        stop_reason,
    )


def _text_of(message: bytes) -> str:
    try:
        return "".join(block.text for block in _message.decode(message).content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
