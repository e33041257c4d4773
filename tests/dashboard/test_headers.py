"""What every page carries, and what no template may hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.people import Cast

ROOT = settings.BASE_DIR / "dashboard" / "templates"
TEMPLATES = sorted(ROOT.rglob("*.html"))
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
INLINE = {
    "a style": r"\sstyle\s*=",
    "a style sheet": r"<style",
    "a script": r"<script(?![^>]*\ssrc=)",
    "a handler": r"\son[a-z]+\s*=",
    "htmx code": r"hx-on|hx-vals=[\"']js:|hx-trigger=[\"'][^\"']*\[",
    "a script address": r"javascript:",
    "unescaped text": r"\|\s*safe\b|autoescape off",
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/quickstart", "/limits", "/batches", "/nowhere", "/invites/nothing", "/reset/nothing"],
)
def test_every_page_has_the_strict_headers_and_is_not_stored(client: Client, people: Cast, path: str) -> None:
    if path != "/login":
        client.force_login(people.ada, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.get(path)
    assert set(answer["content-security-policy"].split("; ")) == POLICY
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["x-frame-options"] == "DENY"
    assert answer["referrer-policy"] == "same-origin"
    assert re.fullmatch(r"req_01[0-9a-f]{22}", answer["request-id"])
    if path != "/nowhere":
        assert "no-store" in answer["cache-control"]


@pytest.mark.parametrize("template", TEMPLATES, ids=[str(path.relative_to(ROOT)) for path in TEMPLATES])
def test_nothing_is_inline(template: Path) -> None:
    text = re.sub(r"{%.*?%}", "", template.read_text())  # `{% if one == other %}` is no handler
    assert [what for what, pattern in INLINE.items() if re.search(pattern, text)] == []


@pytest.mark.django_db
def test_a_page_names_no_other_host(client: Client, people: Cast) -> None:
    client.force_login(people.ada, backend=settings.AUTHENTICATION_BACKENDS[0])
    page = client.get("/quickstart").content.decode()
    links = re.findall(r' (?:src|href|action|hx-get)="([^"]*)"', page)
    assert links and [link for link in links if not re.match(r"[/?#](?!/)", link)] == []
