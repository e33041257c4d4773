"""What operators fill in about prices; what it means as rates."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django import forms

from admin_api.catalog import Rates
from admin_api.catalog_checks import MOST_TOKENS, RATE_PLACES, is_moment
from dashboard.forms.form import Form
from gateway.models import Price
from gateway.price import CLASSES, LongContext


def _rate(label: str, *, required: bool = False, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=0,
        max_digits=20,
        decimal_places=RATE_PLACES,
        help_text=help_text,
    )


class PriceForm(Form):
    """US dollars per million tokens. Caches cost as much as input where nothing is given."""

    input = _rate("Input", required=True)
    output = _rate("Output", required=True)
    cache_read = _rate("Cache read")
    cache_write_5m = _rate("Cache write, 5 min")
    cache_write_1h = _rate("Cache write, 1 h")
    batch_factor = forms.DecimalField(
        label="Batch factor",
        min_value=0,
        max_value=1,
        decimal_places=RATE_PLACES,
        initial="0.5",
        help_text="What tokens of a batch cost of this.",
    )
    web_search = _rate("Web search", help_text="Per thousand searches.")
    threshold = forms.IntegerField(
        label="Long context from",
        required=False,
        min_value=1,
        max_value=MOST_TOKENS,
        help_text="Input tokens, cached or not. A longer request costs the rates below.",
    )
    long_input = _rate("Input")
    long_output = _rate("Output")
    long_cache_read = _rate("Cache read")
    long_cache_write_5m = _rate("Cache write, 5 min")
    long_cache_write_1h = _rate("Cache write, 1 h")
    effective_at = forms.DateTimeField(
        label="From when (UTC)",
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="In the future. Empty is from now on.",
    )

    @staticmethod
    def initial_of(price: Price | None) -> dict[str, object]:
        if price is None:
            return {}
        plain = {name: _plain(getattr(price, name)) for name in (*CLASSES, "batch_factor", "web_search")}
        long = {f"long_{name}": _plain(getattr(price, f"long_context_{name}")) for name in CLASSES}
        return {**plain, **long, "threshold": price.long_context_threshold}

    def clean_effective_at(self) -> datetime.datetime | None:
        at: datetime.datetime | None = self.cleaned_data["effective_at"]
        if at is not None and not is_moment(at):
            raise forms.ValidationError("Expected a time of the years 2000 to 2199.")
        return at

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("threshold") is not None:
            for name in ("long_input", "long_output"):
                if given.get(name) is None:
                    self.add_error(name, "What does a request cost that is longer?")
        return given

    def rates(self) -> Rates:
        given = self.cleaned_data
        plain = {name: _or(given[name], given["input"]) for name in CLASSES}
        long = None
        if given["threshold"] is not None:
            above = {name: _or(given[f"long_{name}"], given["long_input"]) for name in CLASSES}
            long = LongContext(threshold=given["threshold"], **above)
        return Rates(
            **plain,
            batch_factor=given["batch_factor"],
            web_search=_or(given["web_search"], Decimal(0)),
            long_context=long,
            effective_at=given["effective_at"],
        )


def _or(given: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if given is None else given


def _plain(rate: Decimal | None) -> str:
    """As a person writes it, without zeros at the end."""
    if rate is None:
        return ""
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
