"""Static files: named by content, cached for ever, and what others wrote is as they published it."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.templatetags.static import static
from django.test import AsyncClient, Client

STATIC = settings.BASE_DIR / "dashboard" / "static"
VENDOR = STATIC / "vendor"


async def test_a_hashed_name_is_cached_for_ever_and_the_plain_one_is_not(async_client: AsyncClient) -> None:
    hashed = static("css/app.css")
    assert re.fullmatch(r"/static/css/app\.[0-9a-f]{12}\.css", hashed)
    answer = await async_client.get(hashed)
    assert answer.status_code == 200
    assert answer["content-type"].startswith("text/css")
    assert answer["cache-control"] == "max-age=315360000, public, immutable"
    assert (
        b"".join([part async for part in answer.streaming_content])
        == (STATIC / "css" / "app.css").read_bytes()
    )
    plain = await async_client.get("/static/css/app.css")
    assert plain["cache-control"] == "max-age=60, public"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/static/css/app.000000000000.css", "/static/../manage.py", "/static/nothing"]
)
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_name_that_is_wrong_shows_in_tests() -> None:
    with pytest.raises(ValueError, match=r"no static file 'css/ap\.css'"):
        static("css/ap.css")


def test_vendored_files_are_as_they_were_published() -> None:
    listed = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["file"]
    assert {one["path"] for one in listed} | {one["licence_file"] for one in listed} | {"VENDOR.toml"} == {
        path.name for path in VENDOR.iterdir()
    }
    for one in listed:
        assert hashlib.sha256((VENDOR / one["path"]).read_bytes()).hexdigest() == one["sha256"], one["path"]
        assert one["name"] and one["version"] and one["licence"]


def test_the_committed_style_sheet_is_the_built_one(tmp_path: Path) -> None:
    built = tmp_path / "app.css"
    tailwind = Path(sys.executable).with_name("tailwindcss")
    command = [tailwind, "-i", "dashboard/styles/app.css", "-o", built, "--minify"]
    subprocess.run(command, cwd=settings.BASE_DIR, check=True, capture_output=True, timeout=60)
    assert built.read_text() == (STATIC / "css" / "app.css").read_text(), "run `make css`"


@pytest.mark.django_db
async def test_pages_styles_and_scripts_are_compressed(async_client: AsyncClient) -> None:
    lengths = {}
    for path in ("/login", static("css/app.css"), static("vendor/htmx.min.js")):
        plain = await async_client.get(path)
        small = await async_client.get(path, headers={"accept-encoding": "gzip"})
        whole = await _content(plain)
        assert "content-encoding" not in plain and small["content-encoding"] == "gzip"
        sent = await _content(small)
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)  # one, as a browser reads it
        assert member.decompress(sent) == whole or path == "/login"  # whose token is another one each time
        assert member.eof and not member.unused_data
        lengths[path] = len(sent) / len(whole)
    assert max(lengths.values()) < 0.6


async def _content(answer: Any) -> bytes:
    if not answer.streaming:
        return bytes(answer.content)
    return b"".join([part async for part in answer.streaming_content])


def test_what_a_page_loads_first_is_small() -> None:
    """Compressed, all scripts that any page has among it: less than a photograph."""
    files = [STATIC / "css" / "app.css", *STATIC.glob("js/*.js"), *VENDOR.glob("*.js")]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 80_000
