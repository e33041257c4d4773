"""One tool call while its fragments come in; a call told whole is one fragment."""

from __future__ import annotations

import re

import msgspec

from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.openai.completion import CallFragment, FunctionCall
from gateway.protocol.partial_json import Nesting, is_object, missing_end

_ID = re.compile(r"[a-zA-Z0-9_-]+")

_string = msgspec.json.Decoder(str)


class Call:
    """`index` and `upstream_id` are the provider's. Arguments go out by `take` and `rest`, each piece once."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.upstream_id = ""
        self.name = ""
        self._sent: list[str] = []
        self._unsent: list[str] = []
        self._length = 0
        self._nesting = Nesting()

    def add(self, fragment: CallFragment, arguments: str) -> None:
        """Take over what the fragment tells; a name or an id that is told again changes nothing."""
        function = fragment.function or FunctionCall()
        self.upstream_id = self.upstream_id or fragment.id or ""
        self.name = self.name or function.name or ""
        arguments = self._nesting.feed(arguments)
        if not self._length:
            arguments = arguments.lstrip()
        if arguments:
            self._unsent.append(arguments)
            self._length += len(arguments)

    @property
    def ready(self) -> bool:
        """Whether it may be opened: it has a name and an id, or arguments already, so that no id will come."""
        return bool(self.name and (self.upstream_id or self._unsent))

    @property
    def usable_id(self) -> str | None:
        """The provider's id, if it is one that Anthropic's clients may send back."""
        return self.upstream_id if _ID.fullmatch(self.upstream_id) else None

    @property
    def arguments(self) -> str:
        return "".join(self._sent) + "".join(self._unsent)

    @property
    def complete(self) -> bool:
        """Whether the arguments are whole, so that nothing more can belong to them."""
        return self._nesting.complete

    def is_followed_by(self, fragment: CallFragment, arguments: str) -> bool:
        """Whether a fragment that points at this call must begin another one."""
        function = fragment.function
        if function is None or not function.name or not self.name:
            return False
        if function.name != self.name and not fragment.id:
            return True
        return bool(arguments.strip()) and self.complete

    def is_repeated_by(self, fragment: CallFragment, arguments: str) -> bool:
        """Whether a provider sends the whole call once more."""
        if not fragment.id or fragment.id != self.upstream_id or fragment.function is None:
            return False
        if len(arguments) != self._length or fragment.function.name != self.name:
            return False
        return arguments.startswith("{") and arguments == self.arguments

    def take(self) -> str:
        """The arguments that can go out now: none before they begin like an object."""
        if not self._sent and not (self._unsent and self._unsent[0].startswith("{")):
            return ""
        fragment = "".join(self._unsent)
        self._unsent.clear()
        if fragment:
            self._sent.append(fragment)
        return fragment

    def rest(self, *, cut_off: bool) -> str:
        """What is still to go out for all of it to be an object; raises `MalformedStream` if nothing helps.

        Closing brackets may be added after a whole value. Only an answer that was cut off at its length is also
        finished in the middle of one: its stop reason tells the client not to run the call.
        """
        fragment = self.take()
        if not self._sent:
            return self._object_in_disguise()
        whole = self.arguments
        if is_object(whole):
            return fragment
        end = missing_end(whole, self._nesting.missing, cut_off=cut_off)
        if end is None:
            raise _malformed()
        return fragment + end

    def _object_in_disguise(self) -> str:
        """No arguments at all, `null`, or an object that was encoded twice."""
        told = self.arguments.strip()
        if told in ("", "null", '""'):
            return ""
        try:
            inner = _string.decode(told)
        except msgspec.DecodeError:
            raise _malformed() from None
        if not is_object(inner):
            raise _malformed()
        return inner


def _malformed() -> MalformedStream:
    return MalformedStream("The provider sent a tool call whose arguments are not a JSON object.")


def arguments_of(fragment: CallFragment) -> str:
    """The piece of JSON that a fragment brings; some providers send the object itself."""
    arguments = fragment.function.arguments if fragment.function is not None else None
    return msgspec.json.encode(arguments).decode() if isinstance(arguments, dict) else arguments or ""
