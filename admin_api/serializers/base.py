"""What comes in, checked by name: bodies refuse fields they do not know, queries read every spelling of lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers

LARGEST_PAGE = 1000
USUAL_PAGE = 20
MOST_TOLD = 12  # values of a choice that a refusal names
LONGEST_QUOTE = 60  # characters


class Text(serializers.CharField):
    """A JSON string and nothing that could be made one; without NUL, without spaces around it."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Choice(serializers.ChoiceField):
    """One of a few values; a refusal names them."""

    default_error_messages: ClassVar = {
        "invalid_choice": '"{input}" is not a valid value; expected one of {expected}'
    }

    def fail(self, key: str, **details: Any) -> None:
        """What was sent is quoted in part: it may be of any length."""
        if key == "invalid_choice":
            details = {"input": str(details["input"])[:LONGEST_QUOTE], "expected": _told(self.choices)}
        super().fail(key, **details)


def _told(values: Iterable[object]) -> str:
    names = [str(value) for value in values]
    return ", ".join(names if len(names) <= MOST_TOLD else [*names[:MOST_TOLD], "..."])


class Constant(serializers.ChoiceField):
    """A field that always has this value, such as an object's `type`."""

    def __init__(self, value: str, **options: Any) -> None:
        self._value = value
        super().__init__([value], **{"read_only": True} | options)

    def get_attribute(self, instance: object) -> str:
        return self._value


class Body(serializers.Serializer):
    """The object of a POST. A field that does not exist here is refused by its name, as Anthropic's API does.

    So is a value of another JSON type than its field's: `"yes"` is no boolean and `"5"` no number.
    """

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        checked: dict[str, Any] = super().to_internal_value(data)
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise serializers.ValidationError({unknown[0][:100]: ["Extra inputs are not permitted"]})
        for name, field in self.fields.items():
            _check_exact(name, field, data.get(name))
        return checked


class EmptyBody(Body):
    """Nothing: `{}`, or no body at all."""


# Types whose fields make values out of others, and what JSON has for them.
_EXACT: tuple[tuple[type[serializers.Field], tuple[type, ...]], ...] = (
    (serializers.BooleanField, (bool,)),
    (serializers.IntegerField, (int, float)),
)


def _check_exact(name: str, field: serializers.Field, given: object) -> None:
    for kind, types in _EXACT:
        if isinstance(field, kind) and given is not None and type(given) not in types:
            raise serializers.ValidationError({name: [field.error_messages["invalid"]]})


class Query(serializers.Serializer):
    """The query of a GET. Lists come as `x[]`, `x` or both, repeated; of other names the last value counts.

    An empty value is none at all, since that is how SDKs write None. What nobody asked for is ignored.
    """

    @classmethod
    def of(cls, query: QueryDict) -> dict[str, Any]:
        """The checked values; a name that was not given has its default, or is absent. Raises `ValidationError`."""
        form = cls(data={name: value for name, value in cls._values(query) if value not in ("", [])})
        form.is_valid(raise_exception=True)
        checked: dict[str, Any] = form.validated_data
        return checked

    @classmethod
    def _values(cls, query: QueryDict) -> list[tuple[str, str | list[str]]]:
        values: list[tuple[str, str | list[str]]] = []
        for name, field in cls().fields.items():
            given = [*query.getlist(f"{name}[]"), *query.getlist(name)]
            if isinstance(field, serializers.ListField):
                values.append((name, given))
            elif given:
                values.append((name, given[-1]))
        return values


class IdQuery(Query):
    """Of lists that are walked by the ids of their objects, newest first; both directions."""

    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_PAGE, default=USUAL_PAGE)
    after_id = Text(required=False, max_length=100, help_text="The page right after this object.")
    before_id = Text(required=False, max_length=100, help_text="The page right before this object.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after_id" in attrs and "before_id" in attrs:
            raise serializers.ValidationError(
                {"before_id": ["Only one of after_id and before_id may be given"]}
            )
        return attrs


class PageQuery(Query):
    """Of lists that are walked by an opaque cursor, one direction."""

    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_PAGE, default=USUAL_PAGE)
    page = Text(required=False, max_length=1000, help_text="`next_page` of the answer before.")
