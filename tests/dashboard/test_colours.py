"""Contrast of the design system's colours in both themes (WCAG 2.2: text 4.5, shapes 3)."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

CSS = (settings.BASE_DIR / "dashboard" / "styles" / "app.css").read_text()
PAIRS = dict(
    (name, (light, dark))
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS)
)
TEXT = [
    *[(ink, ground) for ink in ("ink", "muted") for ground in ("ground", "surface", "sunken", "raised")],
    *[("accent", ground) for ground in ("ground", "surface", "sunken")],
    ("ink", "accent-soft"),
    ("on-solid", "solid"),
    ("on-solid", "solid-hover"),
    ("good", "good-soft"),
    ("good", "sunken"),
    ("bad", "bad-soft"),
    ("bad", "surface"),
]
SHAPES = [
    *[(f"series-{n}", "surface") for n in range(1, 7)],
    *[(colour, "surface") for colour in ("line-strong", "warn", "bad", "good", "accent")],
    *[(colour, "raised") for colour in ("series-1", "warn", "bad")],
    ("accent", "ground"),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"), [(*pair, 4.5) for pair in TEXT] + [(*pair, 3.0) for pair in SHAPES]
)
def test_contrast(theme: int, front: str, back: str, least: float) -> None:
    assert contrast(PAIRS[front][theme], PAIRS[back][theme]) >= least


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
