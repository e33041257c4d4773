"""What a field may not take, by the class that checks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

NUL, LONG = "a\x00b", "x" * 10_000
Wrong = tuple[tuple[str, ...], Any]  # where below the field the mistake is, and the value of the field


def wrong_in_body(field: serializers.Field, right: Any) -> Iterator[Wrong]:
    """Values of JSON that the field of a body has to refuse; `right` is one that it takes, or None."""
    if not field.allow_null:
        yield (), None
    match field:
        case serializers.ListSerializer() | serializers.ListField():
            yield from _here("x", 7, True, {}, [[]], [None])
            yield from _in_items(field.child, right)
        case serializers.Serializer():
            yield from _here("x", 7, True, [], [{}], {"no_such_field": 1})
            yield from _in_fields(field, right) if right is not None else ()
        case serializers.DictField():
            yield from _here("x", 7, True, [], {NUL: 1}, {LONG: 1}, {"x": []})
        case _:
            yield from _here(*_of_value(field))


def _here(*values: Any) -> Iterator[Wrong]:
    for value in values:
        yield (), value


def _in_items(child: serializers.Field, right: Any) -> Iterator[Wrong]:
    for place, value in wrong_in_body(child, right[0] if right else None):
        if value != []:
            yield ("0", *place), [value]


def _in_fields(form: serializers.Serializer, right: dict[str, Any]) -> Iterator[Wrong]:
    for name, field in form.fields.items():
        if not field.read_only:
            for place, value in wrong_in_body(field, right.get(name)):
                yield (name, *place), {**right, name: value}


def _of_value(field: serializers.Field) -> list[Any]:
    match field:
        case serializers.BooleanField():
            return ["x", "true", 1, [], {}]
        case serializers.IntegerField() | serializers.FloatField():
            return ["x", "5", True, 1.5e300, -1, 10**30, [], {}]
        case serializers.ChoiceField():
            return ["no-such-value", "", NUL, LONG, 7, True, [], {}]
        case serializers.CharField() if field.allow_blank:
            return [NUL, LONG, 7, True, [], {}]
        case serializers.CharField():
            return ["", " ", NUL, LONG, 7, True, [], {}]
    return ["no such value", NUL, LONG, 7, True, [], {}]


def objects_in(form: serializers.Serializer, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a body may hold further objects whose fields are checked by name, the first of a list for all."""
    for name, field in form.fields.items():
        many = isinstance(field, serializers.ListSerializer | serializers.ListField)
        inner, here = (field.child, (*place, name, "0")) if many else (field, (*place, name))
        if isinstance(inner, serializers.Serializer):
            yield here
            yield from objects_in(inner, here)


def wrong_in_query(name: str, field: serializers.Field) -> Iterator[tuple[str, Any]]:
    """Parameters of a query that have to be refused; an empty value is none at all."""
    match field:
        case serializers.ListField():
            yield f"{name}[]", [LONG] * 2
            for _, value in wrong_in_query(name, field.child):
                yield f"{name}[]", [value]
                yield name, value
        case serializers.IntegerField():
            for number in ("0", "-1", "1001", "x", "1.5", "9" * 30, NUL, LONG):
                yield name, number
        case _:
            yield name, NUL
            yield name, LONG
            if not isinstance(field, serializers.CharField):
                yield name, "no-such-value"
