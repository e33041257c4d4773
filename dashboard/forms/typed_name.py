"""The name that has to be typed before something is done that cannot be undone."""

from __future__ import annotations

from typing import Any

from django import forms


class TypedName(forms.CharField):
    """Takes nothing but the name; spaces count as the page shows them."""

    def __init__(self, name: str) -> None:
        self._name = _shown(name)
        attributes = {"class": "input", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        super().__init__(label=f"Type {self._name} to confirm", widget=forms.TextInput(attributes))

    def clean(self, value: Any) -> str:
        typed: str = super().clean(value)
        if _shown(typed) != self._name:
            raise forms.ValidationError(f"This is not {self._name}.")
        return typed


def _shown(text: str) -> str:
    return " ".join(text.split())
