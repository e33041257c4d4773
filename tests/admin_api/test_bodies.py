"""Bodies take what they say they take: no other fields, and no values of other JSON types."""

from __future__ import annotations

import pytest
from rest_framework import serializers

from admin_api.serializers.base import Body, Text
from admin_api.wording import words_of


class Form(Body):
    name = Text(required=False, max_length=5)
    count = serializers.IntegerField(required=False, allow_null=True)
    on = serializers.BooleanField(required=False, allow_null=True)


@pytest.mark.parametrize(
    "body", [{"count": 5, "on": True}, {"count": 0, "on": False}, {"count": None, "on": None}]
)
def test_values_of_the_right_type_are_taken(body: dict[str, object]) -> None:
    form = Form(data=body)

    assert form.is_valid(), form.errors
    assert form.validated_data == body


def test_a_whole_number_may_have_a_point() -> None:
    form = Form(data={"count": 5.0})

    assert form.is_valid()
    assert form.validated_data == {"count": 5}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"on": 0}, "on: Input should be a valid boolean"),
        ({"on": "yes"}, "on: Input should be a valid boolean"),
        ({"count": "5"}, "count: Input should be a valid integer"),
        ({"count": 5.5}, "count: Input should be a valid integer"),
        ({"count": True}, "count: Input should be a valid integer"),
        ({"name": 5}, "name: Input should be a valid string"),
        ({"nome": "x"}, "nome: Extra inputs are not permitted"),
    ],
)
def test_anything_else_is_refused_by_name(body: dict[str, object], words: str) -> None:
    form = Form(data=body)

    assert not form.is_valid()
    assert words_of(form.errors) == words
