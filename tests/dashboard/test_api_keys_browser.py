"""From the button to the first request, as a person does it, and where a secret stays: nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import ARTIFACTS, Site
from tests.dashboard.page_list import ADA
from tests.dashboard.test_browser import LOOKS, SMALL_TARGETS, _call, _problems, _violations, polled_until

pytestmark = pytest.mark.slow
WHOLE_KEY = re.compile(r"sk-gw-api01-[A-Za-z0-9_-]{30,}")


@pytest.fixture
def page(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_cookies(cookies_of(ADA))
        yield context.new_page()


def test_a_key_is_made_shown_once_and_used(site: Site, page: Page) -> None:
    problems = _problems(page, "")
    page.clock.install()
    page.goto(f"{site.url}/members")
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("Name").fill("Made in a browser")
    page.get_by_role("button", name="Create key").click()

    (secret,) = set(WHOLE_KEY.findall(page.locator("body").inner_text()))
    expect(page.get_by_text("Waiting for your first request")).to_be_visible()
    _look(page, "api-key-secret")
    _call(site, secret)
    _arrives(page)
    assert problems == []

    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Made in a browser")
    expect(page.locator(".key-facts")).to_contain_text("from 127.0.0.1")
    page.go_back()
    assert secret not in page.content()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_neither_a_reload_nor_the_way_back_shows_the_secret_again(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list], script: bool
) -> None:
    with chromium.new_context(java_script_enabled=script) as context:
        context.add_cookies(cookies_of(ADA))
        page = context.new_page()
        page.goto(f"{site.url}/api-keys/new")
        page.get_by_label("Name").fill(f"Once, script {script}")
        page.get_by_role("button", name="Create key").click()
        secret = page.locator("#new-key").inner_text()

        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Once, script {script}")
        assert secret not in page.content()
        page.goto(f"{site.url}/api-keys")
        assert page.get_by_role("link", name=f"Once, script {script}").count() == 1
        page.go_back()
        assert secret not in page.content()


def test_quickstart_leads_from_nothing_to_a_first_answer(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list]
) -> None:
    with chromium.new_context(
        permissions=["clipboard-read", "clipboard-write"], reduced_motion="reduce"
    ) as context:
        context.add_cookies(cookies_of("gus@example.com"))
        page = context.new_page()
        page.clock.install()
        page.goto(f"{site.url}/quickstart")
        problems = _problems(page, "")
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_text("Waiting for your first request")).to_be_visible()
        secret = page.locator("#new-key").inner_text()
        page.get_by_text("curl", exact=True).first.click()
        expect(page.locator("#snippet-curl")).to_be_visible()
        expect(page.locator("#snippet-python")).to_be_hidden()
        page.get_by_role("button", name="Copy quickstart.sh").click()
        assert secret in page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("radio", name="curl").press("ArrowRight")
        expect(page.locator("#snippet-claude-code")).to_be_visible()
        _look(page, "quickstart-secret")
        _call(site, secret)
        _arrives(page)
        assert problems == []
        page.reload()
        assert secret not in page.content()


def test_a_key_is_rotated_disabled_and_archived(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/api-keys/new")
    page.get_by_label("Name").fill("Short-lived")
    page.get_by_role("button", name="Create key").click()
    before = page.locator("#new-key").inner_text()
    page.get_by_role("link", name="I have copied it").click()

    page.get_by_role("link", name="Rotate").click()
    page.get_by_label("works for 24 hours more").check()
    page.get_by_label("Type Short-lived").fill("Short-lived")
    page.get_by_role("button", name="Rotate key").click()
    after = page.locator("#new-key").inner_text()
    assert after != before
    for secret in (before, after):
        _call(site, secret)

    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Disable key").click()
    expect(page.locator(".badge", has_text="Disabled")).to_be_visible()
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("link", name="Archive").click()
    page.get_by_label("Type Short-lived").fill("Short-lived")
    page.get_by_role("button", name="Archive key").click()
    expect(page.get_by_text("Short-lived is archived.")).to_be_visible()


def test_a_pasted_key_finds_its_page_and_stays_out_of_the_address(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/api-keys")
    page.get_by_text("Whose key is this?").click()
    page.get_by_label("Whole key").fill(site.api_key)
    with page.expect_request(re.compile("/api-keys/find$")) as asked:
        page.get_by_role("button", name="Find").click()
    assert asked.value.method == "POST"
    expect(page.get_by_role("heading", level=1)).to_have_text("Stage")


def _arrives(page: Page) -> None:
    arrived = page.get_by_text("Your first request has arrived.")
    polled_until(page, 2, lambda within: expect(arrived).to_be_visible(timeout=within))


def _look(page: Page, name: str) -> None:
    """A page that is the answer to a form is in no list of pages: looked at here as those are there."""
    for theme, width, height in LOOKS:
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=ARTIFACTS / f"{name}-{theme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(SMALL_TARGETS) == []
        assert _violations(page) == [], f"{theme} at {width}"
