"""Without a mouse: the palette, single keys, and turning single keys off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import ARTIFACTS, Site
from tests.dashboard.page_list import ADA

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_cookies(cookies_of(ADA))
        yield context.new_page()


def test_the_palette_finds_pages_and_ids_and_arrows_choose(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search")
    page.keyboard.type(site.ids["running"])
    expect(palette.get_by_role("link")).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.type("batch")
    expect(palette.get_by_role("link", name="Batches")).to_be_visible()
    page.screenshot(path=ARTIFACTS / "palette-light-1280.png")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/batches$"))


def test_letters_lead_to_pages_and_along_rows(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.keyboard.type("gb")
    expect(page).to_have_url(re.compile("/batches$"))
    page.keyboard.type("jjk")
    expect(page.locator(".batch-list a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/batches/msgbatch_"))


def test_a_list_tells_the_keys_and_turns_them_off_and_on(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.keyboard.type("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.screenshot(path=ARTIFACTS / "shortcuts-light-1280.png")
    keys.get_by_role("button", name="Turn single keys off").click()
    page.keyboard.type("gb?")
    expect(keys).not_to_be_visible()
    expect(page).to_have_url(re.compile("/$"))
    page.context.clear_cookies(name="shortcuts")
    page.reload()
    page.keyboard.type("?")
    expect(keys).to_be_visible()


def test_what_is_typed_into_a_field_is_no_shortcut(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/search")
    page.keyboard.type("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("gb?")
    expect(page.get_by_role("searchbox")).to_have_value("gb?")
