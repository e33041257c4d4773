"""Forms in the look of the dashboard, which show what an action refuses beside the field that it is about."""

from __future__ import annotations

from typing import Any

from django import forms

from gateway.errors import GatewayError

# What a widget is drawn as: everything that is typed into or chosen from is an input, what is ticked a tick.
TICKED = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple)


class Form(forms.Form):
    """A Django form; `error_css` and the like stay Django's. Labels end in nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", "tick" if isinstance(field.widget, TICKED) else "input")

    def refuse(self, error: GatewayError) -> None:
        """`name: is taken` goes to the field `name`, anything else above the form."""
        field, colon, words = error.message.partition(": ")
        known = bool(colon) and field in self.fields
        self.add_error(field if known else None, _sentence(words if known else error.message))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
