"""One tool call of a stream while its fragments come in."""

from __future__ import annotations

import re

import msgspec

from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.openai.chunk import CallFragment
from gateway.protocol.openai.completion import FunctionCall

_ID = re.compile(r"[a-zA-Z0-9_-]+")

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)

# What may finish a value that was cut off in the middle, tried in this order before the closing brackets.
_CUT_OFF = [
    *(
        "",
        '"',
        '\\"',
        '":null',
        "null",
        ":null",
        "0",
        "rue",
        "ue",
        "e",
        "alse",
        "lse",
        "se",
        "ull",
        "ll",
        "l",
    ),
    '"":null',
]
# A number at the end may be half of one; after these a value is surely whole.
_WHOLE_VALUE = ('"', "}", "]", "true", "false", "null")


class Call:
    """`index` and `upstream_id` are the provider's. Arguments go out by `take` and `rest`, each piece once."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.upstream_id = ""
        self.name = ""
        self._sent: list[str] = []
        self._unsent: list[str] = []

    def add(self, fragment: CallFragment) -> int:
        """Take over what the fragment tells; a name or an id that is told again changes nothing.

        Gives the number of characters of arguments.
        """
        function = fragment.function or FunctionCall()
        self.upstream_id = self.upstream_id or fragment.id or ""
        self.name = self.name or function.name or ""
        arguments = _text(function.arguments)
        if arguments:
            self._unsent.append(arguments)
        return len(arguments)

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
        """Whether the arguments are a whole object, so that nothing more can belong to them."""
        last = (self._unsent or self._sent or [""])[-1]
        return last.rstrip().endswith("}") and _is_object(self.arguments)

    def is_followed_by(self, fragment: CallFragment) -> bool:
        """Whether a fragment that points at this call must begin another one."""
        function = fragment.function
        if function is None or not function.name or not self.name:
            return False
        if function.name != self.name and not fragment.id:
            return True
        return bool(_text(function.arguments).strip()) and self.complete

    def is_repeated_by(self, fragment: CallFragment) -> bool:
        """Whether a provider sends the whole call once more."""
        if not fragment.id or fragment.id != self.upstream_id or fragment.function is None:
            return False
        told = _text(fragment.function.arguments).strip()
        return told.startswith("{") and fragment.function.name == self.name and told == self.arguments.strip()

    def take(self) -> str:
        """The arguments that can go out now: none before they begin like an object."""
        fragment = "".join(self._unsent)
        if not self._sent:
            fragment = fragment.lstrip()
            if not fragment.startswith("{"):
                return ""
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
        if _is_object(whole):
            return fragment
        brackets = _open_brackets(whole)
        values = _CUT_OFF if cut_off else [""] if whole.rstrip().endswith(_WHOLE_VALUE) else []
        for value in values:
            if _is_object(whole + value + brackets):
                return fragment + value + brackets
        raise self._malformed()

    def _object_in_disguise(self) -> str:
        """No arguments at all, `null`, or an object that was encoded twice."""
        told = self.arguments.strip()
        if told in ("", "null", '""'):
            return ""
        try:
            inner = _string.decode(told)
        except msgspec.DecodeError:
            raise self._malformed() from None
        if not _is_object(inner):
            raise self._malformed()
        return inner

    def _malformed(self) -> MalformedStream:
        return MalformedStream(f"the arguments of the call to {self.name[:64]!r} are not a JSON object")


def _text(arguments: str | dict[str, msgspec.Raw] | None) -> str:
    return msgspec.json.encode(arguments).decode() if isinstance(arguments, dict) else arguments or ""


def _is_object(text: str) -> bool:
    try:
        _object.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _open_brackets(text: str) -> str:
    """The brackets that close what `text` has left open, outside its strings."""
    inside_string, stack = False, []
    for part in re.findall(r'\\.|["{}\[\]]', text, re.DOTALL):
        if part == '"':
            inside_string = not inside_string
        elif not inside_string and part in "{[":
            stack.append("}" if part == "{" else "]")
        elif not inside_string and stack and part in "}]":
            stack.pop()
    return "".join(reversed(stack))
