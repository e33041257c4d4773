"""Names in the catalog, as forms take them."""

from __future__ import annotations

from django import forms

from admin_api.catalog_checks import NAME, is_name


def named(text: str, longest: int) -> str:
    if not is_name(text, longest):
        raise forms.ValidationError(f"Expected {NAME.format(longest)}.")
    return text
