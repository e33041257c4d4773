"""Names, models, clients, errors and answers are text on every page, whatever they say."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard import hostile
from tests.dashboard.conftest import PROJECT, Site

pytestmark = pytest.mark.slow

FILLING = "from tests.dashboard import hostile; hostile.main()"
LISTS = ("/api-keys", "/workspaces", "/members", "/logs", "/audit-log")
MOST_PAGES = 14
PAGES = (
    "/",
    "/usage?group=model",
    "/usage?group=api_key",
    "/usage?group=client",
    "/usage?group=session",
    "/cost?group=member",
    "/cost",
    "/limits",
    "/api-keys/{key}",
    "/api-keys/{key}/archive",
    "/workspaces/{workspace}",
    "/workspaces/{workspace}/keys",
    "/workspaces/{workspace}/archive",
    "/members/{member}",
    "/members/service-accounts/{service_account}",
    "/batches",
    "/batches/{batch}",
    "/batches/new",
    "/logs/{request}",
    "/playground",
    "/models",
    "/settings",
    "/quickstart",
    "/search?q=%3C",
    "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
)


@pytest.fixture(scope="module")
def known(site: Site) -> dict[str, str]:
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", FILLING]
    made = subprocess.run(
        command, cwd=PROJECT, env=site.environment, check=True, stdout=subprocess.PIPE, text=True
    )
    ids: dict[str, str] = json.loads(made.stdout.splitlines()[-1])
    return ids


@pytest.fixture(scope="module")
def watched(
    site: Site, chromium: Browser, known: dict[str, str], cookies_of: Callable[[str], list]
) -> Iterator[tuple[Page, list[str]]]:
    """The admin's tab, and what happened in it that should not: dialogs, requests elsewhere, refusals by the policy."""
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies(cookies_of(f"{hostile.ADMIN.lower()}@example.com"))
        page, seen = context.new_page(), []
        page.on("dialog", lambda dialog: (seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: seen.append(f"error {error}"))
        page.on(
            "request",
            lambda request: None if request.url.startswith(site.url) else seen.append(request.url),
        )
        page.on(
            "console",
            lambda line: seen.append(line.text) if "Content Security Policy" in line.text else None,
        )
        yield page, seen


def test_there_are_three_hundred_attacks() -> None:
    assert len(set(hostile.attacks())) == 300


@pytest.mark.parametrize("address", PAGES)
def test_nothing_of_it_happens(
    site: Site, watched: tuple[Page, list[str]], known: dict[str, str], address: str
) -> None:
    page, seen = watched
    answer = page.goto(site.url + address.format(**known))
    assert answer is not None and answer.status == 200
    page.wait_for_timeout(100)
    assert seen == []


@pytest.mark.parametrize("address", LISTS)
def test_nothing_of_it_happens_on_any_page_of_a_list(
    site: Site, watched: tuple[Page, list[str]], address: str
) -> None:
    page, seen = watched
    page.goto(site.url + address)
    for _ in range(MOST_PAGES):
        assert seen == []
        older = page.locator("main a[rel=next]")
        if not older.count():
            break
        older.first.click()
        page.wait_for_load_state()
    assert seen == []


def test_an_answer_that_was_kept_is_read_as_text(
    site: Site, watched: tuple[Page, list[str]], known: dict[str, str]
) -> None:
    page, seen = watched
    page.goto(f"{site.url}/logs/{known['request']}")
    page.get_by_role("button", name="Show content").click()
    page.wait_for_load_state()
    shown = page.locator(".log-turn-assistant pre").all_text_contents()
    assert shown == [attack.replace("\r\n", "\n") for attack in hostile.attacks()]
    assert seen == []


def test_the_palette_shows_them_as_they_are(site: Site, watched: tuple[Page, list[str]]) -> None:
    page, seen = watched
    page.goto(site.url)
    page.keyboard.press("Control+k")
    page.keyboard.type("<script>")
    page.get_by_role("dialog", name="Search").get_by_role("link").first.wait_for()
    assert seen == []


@pytest.mark.parametrize("address", ["/usage.csv?group=api_key", "/logs.csv", "/audit-log.csv"])
def test_no_cell_of_a_file_is_a_formula(site: Site, watched: tuple[Page, list[str]], address: str) -> None:
    page, _ = watched
    answer = page.request.get(site.url + address)
    assert answer.status == 200
    cells = [cell for row in csv.reader(io.StringIO(answer.text())) for cell in row]
    assert len(cells) > 300
    formulas = [
        cell for cell in cells if cell[:1] in ("=", "+", "@") or (cell[:1] == "-" and not _is_number(cell))
    ]
    assert formulas == []


def _is_number(cell: str) -> bool:
    return cell[1:].replace(".", "", 1).isdigit()
