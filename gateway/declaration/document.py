"""YAML text as values that know their line and path.

Nothing here interprets more than it must: keys and scalars stay the text that was written, so that `0.1` is
never a float and `on` is a name like any other. `${NAME}` in a value is replaced from the environment.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NoReturn, TypeVar

import yaml

T = TypeVar("T")
D = TypeVar("D")

_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
}
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_TEXT = "tag:yaml.org,2002:str"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_WHOLE = re.compile(r"0|[1-9]\d*(_\d+)*", re.ASCII)
_DECIMAL = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<bad>\$\{)")


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing wrong with the file: its line (from 1), the path to the value, and what is expected."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}: {self.path}: {self.message}" if self.path else f"{self.line}: {self.message}"


class DeclarationError(Exception):
    """Everything that is wrong with a file, in the order of its lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(
            set(problems), key=lambda problem: (problem.line, problem.path, problem.message)
        )
        super().__init__("\n".join(map(str, self.problems)))


class Wrong(Exception):
    """A single problem on its way to the collection; raised by readers of one value."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclasses.dataclass(frozen=True)
class Place:
    """Where something stands in the file."""

    line: int
    path: str

    def problem(self, message: str) -> Problem:
        return Problem(self.line, self.path, message)


@dataclasses.dataclass(frozen=True)
class Document:
    """What values of one file share: the variables, and the problems found so far."""

    environment: Mapping[str, str]
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def root(self, text: str) -> Value | None:
        """The file's value, None for an empty file. Raises `DeclarationError` where it is not YAML."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise DeclarationError(
                [Problem(line, "", f"not valid YAML: {error.problem or error.context}")]
            ) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise DeclarationError([Problem(line, "", f"not valid YAML: {error.reason}")]) from None
        except RecursionError:
            raise DeclarationError([Problem(1, "", "not valid YAML: nested too deeply")]) from None
        return None if node is None else Value(self, node, Place(1, ""))

    def attempt(self, read: Callable[[], T], otherwise: D) -> T | D:
        """What `read` returns; where it finds a problem, that is collected and `otherwise` stands in."""
        try:
            return read()
        except Wrong as wrong:
            self.problems.append(wrong.problem)
            return otherwise


@dataclasses.dataclass(frozen=True)
class Value:
    """One value of the file. Methods read it as what it should be, or raise `Wrong`.

    Of a `secret` one no problem shows what is written there: neither text nor the names of fields.
    """

    document: Document
    node: yaml.Node
    place: Place
    secret: bool = False

    @property
    def is_null(self) -> bool:
        return self.node.tag == _NULL and self.node.value in ("", "~", "null", "Null", "NULL")

    def as_secret(self) -> Value:
        return dataclasses.replace(self, secret=True)

    def wrong(self, message: str) -> NoReturn:
        raise Wrong(self.place.problem(message))

    def text(self, expected: str) -> str:
        """Text as written, variables replaced; a number or a truth value is not text unless quoted."""
        self._check_tag()
        if self.node.tag != _TEXT or not isinstance(self.node, yaml.ScalarNode):
            self.wrong(f"expected {expected}, not {self._kind() if self.secret else self.shown()}")
        return self._substituted()

    def number(self, expected: str) -> Decimal:
        """Exactly the decimal number that is written."""
        text = self._bare()
        if not _DECIMAL.fullmatch(text):
            self.wrong(f"expected {expected}, not {self.shown()}")
        return Decimal(text)

    def whole(self, expected: str, *, least: int, most: int) -> int:
        text = self._bare()
        if len(text) > 30 or not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            self.wrong(f"expected {expected}, not {self.shown()}")
        return int(text)

    def truth(self) -> bool:
        self._check_tag()
        if self.node.tag != _BOOL:
            self.wrong(f"expected true or false, not {self.shown()}")
        return bool(yaml.SafeLoader.bool_values[self.node.value.lower()])

    def moment(self, expected: str) -> datetime.datetime:
        """A time or a date as ISO 8601 has them, quoted or not; without a zone it is UTC."""
        written = self.node.tag in (_TEXT, _TIMESTAMP) and isinstance(self.node, yaml.ScalarNode)
        try:
            at = datetime.datetime.fromisoformat(self._substituted() if written else "")
        except ValueError:
            self.wrong(f"expected {expected}, not {self.shown()}")
        return at if at.tzinfo else at.replace(tzinfo=datetime.UTC)

    def one_of(self, choices: Sequence[str]) -> str:
        expected = "one of " + ", ".join(choices)
        text = self.text(expected)
        if text not in choices:
            self.wrong(f"expected {expected}, not {self.shown()}")
        return text

    def items(self, expected: str) -> list[Value]:
        self._check_tag()
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong(f"expected {expected}, not {self.shown()}")
        return [
            Value(
                self.document,
                node,
                Place(node.start_mark.line + 1, f"{self.place.path}[{index}]"),
                self.secret,
            )
            for index, node in enumerate(self.node.value)
        ]

    def entries(self, expected: str) -> dict[str, Value]:
        """The values of a mapping by key; a value's line is its key's. Nothing at all is an empty mapping."""
        self._check_tag()
        if self.is_null:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong(f"expected {expected}, not {self.shown()}")
        entries: dict[str, Value] = {}
        for key, node in self.node.value:
            self.document.attempt(functools.partial(self._add, entries, key, node), None)
        return entries

    def fields(self, known: Sequence[str], required: Mapping[str, str] | None = None) -> Fields:
        """A mapping with these fields. `required` tells for each what is expected where it is missing."""
        entries = self.entries("a mapping with " + ", ".join(known))
        for name, value in entries.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                guess = f" (did you mean {close[0]}?)" if close else ""
                message = f"unknown field{guess}; expected one of {', '.join(known)}"
                self.document.problems.append(value.place.problem(message))
        fields = Fields(self.document, self.place, entries)
        for name, expected in (required or {}).items():
            fields.require(name, expected)
        return fields

    def shown(self) -> str:
        """The value as written, before any variable is replaced: what the environment holds may be secret."""
        if not isinstance(self.node, yaml.ScalarNode) or self.is_null:
            return self._kind()
        if self.secret:
            return "what stands here"
        return repr(self.node.value) if len(self.node.value) <= 80 else repr(self.node.value[:80]) + "..."

    def _kind(self) -> str:
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        return "nothing" if self.is_null else "an unquoted number or truth value"

    def _add(self, entries: dict[str, Value], key: yaml.Node, node: yaml.Node) -> None:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not key.value:
            raise Wrong(Problem(line, self.place.path, "expected a name before the colon"))
        place = Place(line, self.place.path if self.secret else _joined(self.place.path, key.value))
        if key.value in entries:
            raise Wrong(place.problem(f"stands here twice; first in line {entries[key.value].place.line}"))
        entries[key.value] = Value(self.document, node, place, self.secret)

    def _check_tag(self) -> None:
        if self.node.tag not in _TAGS:
            self.wrong(f"the tag {self.node.tag} is not allowed; write a plain value")

    def _bare(self) -> str:
        """The text of an unquoted scalar, or of one that a variable was put into."""
        self._check_tag()
        if not isinstance(self.node, yaml.ScalarNode):
            return ""
        text = self._substituted()
        return text.strip() if self.node.style is None or text != self.node.value else ""

    def _substituted(self) -> str:
        return _VARIABLE.sub(self._variable, self.node.value)

    def _variable(self, match: re.Match[str]) -> str:
        if match["bad"]:
            self.wrong("expected ${NAME} with letters, digits and underscores; write $${ for a plain ${")
        if not match["name"]:
            return "${"
        value = self.document.environment.get(match["name"], "")
        if not value:
            self.wrong(f"the environment variable {match['name']} is not set")
        return value


@dataclasses.dataclass(frozen=True)
class Fields:
    """The fields of a mapping; reading an absent one gives the default."""

    document: Document
    place: Place
    values: Mapping[str, Value]

    def require(self, name: str, expected: str) -> None:
        if name not in self.values:
            place = Place(self.place.line, _joined(self.place.path, name))
            self.document.problems.append(place.problem(f"is missing; expected {expected}"))

    def read(self, name: str, reader: Callable[[Value], T], default: D) -> T | D:
        value = self.values.get(name)
        return default if value is None else self.document.attempt(lambda: reader(value), default)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
