"""Money on the wire: never a JSON number, which a client may read as a float."""

from __future__ import annotations

import re

from rest_framework import serializers

from admin_api.serializers.base import Text

MOST_DIGITS = 15
_CENTS = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}")


class Cents(Text):
    """Whole US cents as a string of digits: "50000" is 500 dollars. Inside an int."""

    pattern = _CENTS
    default_error_messages = {  # noqa: RUF012 - DRF's own attribute
        "invalid": f"Input should be a string of 1 to {MOST_DIGITS} digits: whole cents"
    }

    def to_internal_value(self, data: object) -> int:  # type: ignore[override]
        if not isinstance(data, str) or not self.pattern.fullmatch(data):
            self.fail("invalid")
        return int(str(data))

    def to_representation(self, value: int) -> str:
        return str(value)


class SpendLimitOfKeySerializer(serializers.Serializer):
    """A key's own cap: `{amount, period}`."""

    amount = Cents()
    period = serializers.CharField()
