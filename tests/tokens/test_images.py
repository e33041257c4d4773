from __future__ import annotations

import pytest

from gateway.tokens.images import image_tokens

from .pictures import gif, jpeg, png, webp


@pytest.mark.parametrize(
    "data",
    [
        png(300, 250),
        gif(300, 250),
        jpeg(300, 250),
        jpeg(300, 250, metadata=40_000),
        webp(b"VP8 ", 300, 250),
        webp(b"VP8L", 300, 250),
        webp(b"VP8X", 300, 250),
    ],
    ids=["png", "gif", "jpeg", "jpeg-with-metadata", "webp-lossy", "webp-lossless", "webp-extended"],
)
def test_the_size_is_read_from_the_header_of_each_format(data: str) -> None:
    assert image_tokens(data) == 100


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [(1, 1, 1), (0, 0, 1), (1000, 1000, 1334), (3136, 400, 419), (9000, 9000, 1600)],
)
def test_an_image_costs_by_its_area_once_scaled_down_and_never_above_the_cap(
    width: int, height: int, tokens: int
) -> None:
    assert image_tokens(png(width, height)) == tokens


@pytest.mark.parametrize("data", ["", "!!!!", "AAAA", png(300, 250)[:20], jpeg(3, 3)[:12], "é", "UklGRg=="])
def test_an_image_whose_size_is_not_found_costs_the_most(data: str) -> None:
    assert image_tokens(data) == 1_600
