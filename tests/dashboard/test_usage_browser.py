"""Usage and Cost as people use them in a browser, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Site
from tests.dashboard.page_list import ADA

pytestmark = pytest.mark.slow


@pytest.fixture
def page(chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    """Of somebody in India."""
    with chromium.new_context(timezone_id="Asia/Kolkata", accept_downloads=True) as context:
        context.add_cookies(cookies_of(ADA))
        yield context.new_page()


def test_without_scripts_one_comes_from_a_month_to_the_requests_of_a_minute(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list]
) -> None:
    with chromium.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740}) as context:
        context.add_cookies(cookies_of(ADA))
        page = context.new_page()
        page.goto(f"{site.url}/usage")
        page.get_by_role("link", name="30 d").click()
        page.get_by_label("Group by").select_option("Model")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("heading", name="The last 30 days")).to_be_visible()
        page.get_by_role("link", name="claude-opus-5-5").click()
        expect(page.get_by_label("Model", exact=True)).to_have_value("claude-opus-5-5")
        for _ in range(3):
            page.locator(".chart-tokens summary").click()
            page.locator(
                ".chart-tokens tbody tr", has_not=page.get_by_role("cell", name="0", exact=True)
            ).get_by_role("link").first.click()
        expect(page).to_have_url(re.compile(r"/logs\?start=.*&end=.*&model=claude-opus-5-5"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Logs")


def test_the_zone_of_the_browser_is_offered_and_kept(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/usage?range=7d")
    offer = page.get_by_role("button", name=re.compile("Use Asia.(Kolkata|Calcutta)"))
    offer.click()
    expect(page.get_by_text("Times in Asia/Kolkata")).to_be_visible()
    expect(offer).to_have_count(0)
    expect(page).to_have_url(f"{site.url}/usage?range=7d")
    page.goto(f"{site.url}/cost")
    expect(page.get_by_text("Times in Asia/Kolkata")).to_be_visible()
    page.get_by_role("link", name="Show in UTC").click()
    expect(page.get_by_text("Times in UTC")).to_be_visible()


def test_a_bar_is_pressed_and_the_file_is_that_of_the_page(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/cost?range=7d&group=model")
    page.locator(".chart-cost .chart-links a").nth(2).click()
    expect(page).to_have_url(re.compile("bucket=1h"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("starting_at,ending_at,model,model_name,cost_usd,")
    assert len(lines) > 20


def test_a_budget_is_set_changed_and_removed(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/cost")
    page.get_by_role("link", name="New budget").click()
    page.get_by_label("For").select_option("Bill")
    page.get_by_label("Period").select_option("Each week")
    page.get_by_label("Amount").fill("12.50")
    page.get_by_role("button", name="Set budget").click()
    expect(page.get_by_role("status")).to_contain_text("holds from now on")
    row = page.get_by_role("row", name=re.compile("^Bill"))
    expect(row).to_contain_text("of $12.50 a week")
    row.get_by_role("link").click()
    page.get_by_role("button", name="Remove budget").click()
    page.get_by_role("dialog", name="Remove this budget?").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("is gone")
    expect(row).to_have_count(0)
