"""The body of a new message batch, `{"requests": [...]}`, cut into its items while it comes: 256 MB never stand
in memory.

`BatchBody` finds the items and knows where in the body something is wrong; `checked` looks at one. What is in an
item's params is the provider's to judge, when it is run, and they are kept as the bytes they came in.
"""

from __future__ import annotations

import codecs
import enum
import re
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from gateway.errors import InvalidRequest, TooLarge
from gateway.protocol.body import MAX_DEPTH, nests_deeper, reason, spans
from gateway.protocol.json_cutter import ValueCutter

MOST_ITEMS = 100_000
LARGEST_ITEM = 32 * 1024 * 1024  # bytes: what a single message may have
LONGEST_MODEL_NAME = 256

# Of members beside `requests`, which nobody reads.
LARGEST_MEMBER = 1024 * 1024
MOST_MEMBERS = 100

_SPACE = re.compile(rb"[ \t\n\r]*+")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_UTF8_SLICE = 128 * 1024
# Without any space `{"custom_id":,"params":}` has so many bytes; a member more could not hide in what spaces add.
_AROUND_VALUES = 24 + 10

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder(msgspec.Raw)
_TRUE = msgspec.Raw(b"true")


class Item(msgspec.Struct, frozen=True):
    """A checked item. `params` are its bytes, `model` the name that they ask for, "" where they name none."""

    number: int
    custom_id: str
    params: msgspec.Raw
    model: str


class _Looked(msgspec.Struct):
    """What is looked at of params, whatever it is."""

    model: msgspec.Raw = msgspec.Raw(b"null")
    stream: msgspec.Raw = msgspec.Raw(b"null")


_look = msgspec.json.Decoder(_Looked)


class _Expecting(enum.Enum):
    """What comes next, as it is told where something else does."""

    BODY = "an object"
    FIRST_KEY = "a key or `}`"
    KEY = "a key"
    COLON = "`:`"
    MEMBER = "a value"
    FIRST_ITEM = "a request"
    ITEM = "another request"
    AFTER_ITEM = "`,` or `]`"
    AFTER_MEMBER = "`,` or `}`"
    NOTHING = "nothing"


# What one byte leads to.
_MOVES = {
    (_Expecting.BODY, ord("{")): _Expecting.FIRST_KEY,
    (_Expecting.FIRST_KEY, ord("}")): _Expecting.NOTHING,
    (_Expecting.COLON, ord(":")): _Expecting.MEMBER,
    (_Expecting.AFTER_ITEM, ord(",")): _Expecting.ITEM,
    (_Expecting.AFTER_ITEM, ord("]")): _Expecting.AFTER_MEMBER,
    (_Expecting.AFTER_MEMBER, ord(",")): _Expecting.KEY,
    (_Expecting.AFTER_MEMBER, ord("}")): _Expecting.NOTHING,
}
# Where a whole value begins, and what comes after it.
_VALUES = {
    _Expecting.FIRST_KEY: _Expecting.COLON,
    _Expecting.KEY: _Expecting.COLON,
    _Expecting.MEMBER: _Expecting.AFTER_MEMBER,
    _Expecting.FIRST_ITEM: _Expecting.AFTER_ITEM,
    _Expecting.ITEM: _Expecting.AFTER_ITEM,
}
_KEYS = (_Expecting.FIRST_KEY, _Expecting.KEY)
_ITEMS = (_Expecting.FIRST_ITEM, _Expecting.ITEM)


class BatchBody:
    """`feed` what comes, in pieces of any size, then `finish`. Both raise `InvalidRequest`, `feed` also `TooLarge`.

    `held` are the bytes of a value that has not ended.
    """

    def __init__(self) -> None:
        self._expecting = _Expecting.BODY
        self._cutter: ValueCutter | None = None
        self._held = bytearray()
        self._names: set[str] = set()
        self._name = ""
        self._number = 0  # of the item that is cut out, or was last

    @property
    def held(self) -> int:
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[bytes | bytearray]:
        """The items that end in `data`, as their bytes and unchecked."""
        position = 0
        while position < len(data):
            if self._cutter is None:
                position = self._step(data, position)
                continue
            end = self._cutter.end(data, position)
            self._check_size(len(data) - position if end < 0 else end - position, self._cutter.depth)
            self._held += data[position:] if end < 0 else data[position:end]
            if end < 0:
                return
            position = end
            value, self._held, self._cutter = self._held, bytearray(), None
            if self._expecting in _ITEMS:
                yield value
            else:
                self._take(value)
            self._expecting = _VALUES[self._expecting]

    def finish(self) -> None:
        """No more comes."""
        if self._expecting is _Expecting.BODY:
            _malformed("it is empty")
        if self._expecting is not _Expecting.NOTHING:
            _malformed(f"it ends {self._where}")
        if "requests" not in self._names:
            raise InvalidRequest("requests: Field required")

    def _step(self, data: bytes, position: int) -> int:
        """Past space and one byte between values, or up to the next value."""
        position = _SPACE.match(data, position).end()  # type: ignore[union-attr] # it matches anything
        if position == len(data):
            return position
        byte = data[position]
        if (move := _MOVES.get((self._expecting, byte))) is not None:
            self._expecting = move
            self._number += move is _Expecting.ITEM
        elif self._expecting is _Expecting.MEMBER and self._name == "requests":
            self._open_list(byte)
        elif self._expecting in _VALUES:
            self._open_value(byte)
            return position
        else:
            self._refuse_byte()
        return position + 1

    def _open_list(self, byte: int) -> None:
        if byte != ord("["):
            raise InvalidRequest("requests: Input should be a valid list")
        self._expecting = _Expecting.FIRST_ITEM

    def _open_value(self, byte: int) -> None:
        if self._expecting in _KEYS and byte != ord('"'):
            self._refuse_byte()
        if self._expecting is _Expecting.FIRST_ITEM and byte == ord("]"):
            raise InvalidRequest("requests: List should have at least 1 item")
        if self._number >= MOST_ITEMS:
            raise InvalidRequest(f"requests: List should have at most {MOST_ITEMS} items")
        self._cutter = ValueCutter()

    def _take(self, value: bytearray) -> None:
        """A key, or a member that nobody reads."""
        _check_utf8(value, "The request body")
        if nests_deeper(value, MAX_DEPTH + 1):
            raise _too_deep(self._value_name)
        try:
            if self._expecting is _Expecting.MEMBER:
                _any.decode(value)
                return
            self._name = _string.decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
            _malformed(f"{reason(value, problem)}, {self._where}")
        if self._name in self._names:
            raise InvalidRequest(f"{self._name[:100]}: repeated key")
        self._names.add(self._name)
        if len(self._names) > MOST_MEMBERS:
            raise InvalidRequest(f"{self._name[:100]}: more than {MOST_MEMBERS} members in one body")

    def _check_size(self, more: int, depth: int) -> None:
        if self._expecting not in _ITEMS:
            if len(self._held) + more > LARGEST_MEMBER:
                raise TooLarge(f"{self._name[:100]}: larger than {LARGEST_MEMBER} bytes")
        elif len(self._held) + more > LARGEST_ITEM:
            raise TooLarge(
                f"requests.{self._number}: exceeds the maximum allowed number of bytes of one request "
                f"({LARGEST_ITEM})"
            )
        if depth > MAX_DEPTH + 1:  # params stand in the item
            raise _too_deep(self._value_name)

    @property
    def _value_name(self) -> str:
        return f"requests.{self._number}" if self._expecting in _ITEMS else self._name[:100]

    @property
    def _where(self) -> str:
        """Where in the body something is wrong."""
        if self._expecting in _ITEMS:
            return f"within requests.{self._number}" if self._cutter else f"before requests.{self._number}"
        if self._expecting is _Expecting.AFTER_ITEM:
            return f"after requests.{self._number}"
        return f"after {self._name[:100]}" if self._name else "at its beginning"

    def _refuse_byte(self) -> NoReturn:
        if self._expecting is _Expecting.BODY:
            raise InvalidRequest("The request body must be a JSON object.")
        _malformed(f"expected {self._expecting.value} {self._where}")


class Items:
    """The items of one batch, checked one after another. `model_names` are those that they ask for, each once."""

    def __init__(self) -> None:
        self.model_names: dict[str, None] = {}
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def checked(self, raw: bytes | bytearray) -> Item:
        """The next one. Raises `InvalidRequest` that begins with its position."""
        number = len(self._numbers)
        where = f"requests.{number}"
        members = _members_of(raw, where)
        custom_id = _custom_id(members.get("custom_id"), where)
        before = self._numbers.setdefault(custom_id, number)
        if before != number:
            raise InvalidRequest(f"{where}.custom_id: must be unique, and is that of requests.{before} too")
        params = members.get("params")
        if params is None:
            raise InvalidRequest(f"{where}.params: Field required")
        model = _model(params, where)
        self.model_names[model] = None
        return Item(number, custom_id, params, model)


def _members_of(raw: bytes | bytearray, where: str) -> dict[str, msgspec.Raw]:
    _check_utf8(raw, where)
    if nests_deeper(raw, MAX_DEPTH + 1):  # params stand in the item
        raise _too_deep(where)
    try:
        members = _members.decode(raw)
        if not _has_no_more(raw, members):
            spans(raw, members)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{where}: Input should be an object") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise InvalidRequest(f"{where}: not valid JSON: {reason(raw, problem)}") from None
    except InvalidRequest as repeated:
        raise InvalidRequest(f"{where}.{repeated.message}") from None
    return members


def _has_no_more(raw: bytes | bytearray, members: dict[str, msgspec.Raw]) -> bool:
    """Whether no key can have come twice, by the number of bytes."""
    return len(members) == 2 and len(raw) - sum(map(_length, members.values())) < _AROUND_VALUES


def _length(value: msgspec.Raw) -> int:
    return memoryview(value).nbytes


def _custom_id(value: msgspec.Raw | None, where: str) -> str:
    if value is None:
        raise InvalidRequest(f"{where}.custom_id: Field required")
    try:
        custom_id = _string.decode(value)
    except msgspec.DecodeError:
        raise InvalidRequest(f"{where}.custom_id: Input should be a valid string") from None
    if not _CUSTOM_ID.fullmatch(custom_id):
        raise InvalidRequest(f"{where}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    return custom_id


def _model(params: msgspec.Raw, where: str) -> str:
    """The only things that are looked at. What else is wrong with them makes this one item fail when it is run."""
    try:
        looked = _look.decode(params)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{where}.params: Input should be an object") from None
    if looked.stream == _TRUE:
        raise InvalidRequest(f"{where}.params.stream: a request of a batch cannot be streamed")
    try:
        return _string.decode(looked.model)[:LONGEST_MODEL_NAME]
    except msgspec.DecodeError:
        return ""


def _check_utf8(raw: bytes | bytearray, what: str) -> None:
    """Without a copy of the whole as text."""
    if raw.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(raw), _UTF8_SLICE):
            decoder.decode(raw[start : start + _UTF8_SLICE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise InvalidRequest(f"{what}: not valid UTF-8") from None


def _too_deep(what: str) -> InvalidRequest:
    return InvalidRequest(f"{what}: nested more than {MAX_DEPTH} levels deep")


def _malformed(why: str) -> NoReturn:
    raise InvalidRequest(f"The request body is not valid JSON: {why}")
