"""The OpenAPI document as people read it: chapters of operations, each with its fields and an example."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

from django.utils.text import slugify

from dashboard.reference import examples
from dashboard.reference.fields import Field, fields_of, parameter_field
from dashboard.reference.references import References

Document = dict[str, Any]
Source = Callable[[], Document]

# Where a chapter stands, by how its paths begin.
PARTS = (
    ("Admin API", "/v1/organizations/"),
    ("Platform API", "/platform/"),
    ("Model APIs", "/v1/"),
    ("Operation", "/"),
)
# Schemes of the document, in words; of those that an operation takes, the first is named.
CREDENTIALS = {
    "adminKey": "Admin key",
    "operatorKey": "Operator key",
    "apiKey": "API key",
    "apiKeyAsBearer": "API key",
}


@dataclasses.dataclass(frozen=True)
class Operation:
    """`credential` is empty where none is needed; `refusals` are statuses."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    credential: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    refusals: list[str]
    request_example: str
    answer_example: str

    def holds(self, words: list[str]) -> bool:
        """Whether each of the words, in lower case, is part of it."""
        names = [field.name for field in (*self.parameters, *self.body)]
        text = " ".join([self.id, self.method, self.path, self.summary, self.description, *names]).lower()
        return all(word in text for word in words)


@dataclasses.dataclass(frozen=True)
class Chapter:
    name: str
    slug: str
    about: str
    part: str
    operations: list[Operation]


@functools.cache
def chapters_of(source: Source) -> list[Chapter]:
    """All chapters, in the document's order. Made once: the document does not change while a process lives."""
    document = source()
    found = [_chapter(document, tag) for tag in document["tags"]]
    return sorted(found, key=lambda chapter: [name for name, _ in PARTS].index(chapter.part))


def basics_of(source: Source) -> list[tuple[str, str]]:
    """What all operations have in common: the paragraphs of the document's description, each with its name in bold."""
    return re.findall(r"^\*\*(.+?)\*\* (.+)$", source()["info"]["description"], re.MULTILINE)


@functools.cache
def refusals_of(source: Source) -> list[tuple[str, str]]:
    """Every status that an API of the gateway's own refuses with, and when."""
    document = source()
    references = References(document)
    told = {
        status: references.followed(answer).get("description", "")
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status[0] == "4" or (status == "503" and "$ref" in answer)
    }
    return sorted(told.items())


def matching(chapters: list[Chapter], query: str) -> list[Chapter]:
    """What is left of the chapters when only operations that hold every word are kept."""
    words = query.lower().split()
    if not words:
        return chapters
    left = []
    for chapter in chapters:
        whole = [word for word in words if word not in chapter.name.lower()]
        kept = [operation for operation in chapter.operations if operation.holds(whole)]
        left += [dataclasses.replace(chapter, operations=kept)] if kept else []
    return left


def _chapter(document: Document, tag: dict[str, str]) -> Chapter:
    operations = [
        _operation(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["tags"] == [tag["name"]]
    ]
    part = next(name for name, beginning in PARTS if operations[0].path.startswith(beginning))
    name = tag["name"].partition(": ")[2] or tag["name"]
    return Chapter(name[0].upper() + name[1:], slugify(tag["name"]), tag["description"], part, operations)


def _operation(document: Document, path: str, method: str, told: dict[str, Any]) -> Operation:
    references = References(document)
    parameters = [references.followed(one) for one in told.get("parameters", [])]
    body, answer = references.body_of(told), references.answer_of(told)
    scheme = next(iter(told["security"][0]), "") if told["security"] else ""
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        description=told.get("description", ""),
        credential=CREDENTIALS.get(scheme, ""),
        parameters=[parameter_field(one, references) for one in parameters if one["in"] != "header"],
        body=fields_of(body, references, asked=True),
        answer=fields_of(answer, references),
        refusals=[status for status in told["responses"] if status[0] in "45"],
        request_example=examples.request(
            document["servers"][0]["url"],
            path,
            method,
            CREDENTIALS.get(scheme, ""),
            body,
            references,
            parameters,
        ),
        answer_example=examples.written(answer, references),
    )
