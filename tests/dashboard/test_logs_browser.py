"""The logs as people use them: a pasted id, filters by keyboard, the live tail, and code to take along."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Site
from tests.dashboard.test_browser import ADA, _problems

pytestmark = pytest.mark.slow

MARKUP = '<img src=x onerror="alert(1)">'


@pytest.fixture
def page(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_cookies(cookies_of(ADA))
        page = context.new_page()
        problems = _problems(page, f"{site.url}/logs")
        page.goto(f"{site.url}/logs")
        yield page
        assert [
            one for one in problems if not one.endswith("net::ERR_ABORTED")
        ] == []  # a stream that is left


def send(site: Site, agent: str = "tail-test/1") -> str:
    """A request through the API; returns its id."""
    answer = httpx.post(
        f"{site.url}/v1/messages",
        headers={"x-api-key": site.api_key, "anthropic-version": "2023-06-01", "user-agent": agent},
        json={"model": "claude-haiku-5-5", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.headers["request-id"])


def row(page: Page, request_id: str):  # type: ignore[no-untyped-def]
    return page.locator(f'[data-request="{request_id}"]')


def test_a_pasted_id_leads_to_the_request_and_its_code(site: Site, page: Page) -> None:
    page.get_by_label("Find a request by its id").fill(f"  {site.ids['log_cached']} ")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(site.ids["log_cached"])
    expect(page.get_by_role("region", name="Usage and price")).to_contain_text("Cache read")
    page.get_by_role("link", name="Python").click()
    expect(page.locator("#copy-python")).to_contain_text('model="the-team\'s-favourite-model"')
    expect(page.get_by_role("link", name="Open in Playground")).to_have_attribute(
        "href", f"/playground?request={site.ids['log_cached']}"
    )


def test_filters_are_in_the_address_and_can_be_taken_off_one_by_one(site: Site, page: Page) -> None:
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Status").select_option("Failed")
    page.get_by_label("Error type").fill("timeout_error")
    page.get_by_role("button", name="Apply filters").press("Enter")

    expect(page).to_have_url(re.compile(r"status=failed.*error=timeout_error"))
    expect(row(page, site.ids["log_failed"])).to_be_visible()
    expect(page.locator("#log-rows tr")).to_have_count(1)
    page.get_by_role("link", name="Remove Error type: timeout_error").click()
    expect(page).to_have_url(f"{site.url}/logs?status=failed")


def test_the_live_tail_shows_what_comes_and_rests_when_told(site: Site, page: Page) -> None:
    page.get_by_role("link", name="Live tail").click()
    expect(page.locator("[data-tail-count]")).to_have_text(re.compile(r"\d+ shown"))

    first = send(site, MARKUP)
    expect(row(page, first)).to_be_visible(timeout=15_000)
    expect(page.locator("#log-rows tr").first).to_have_attribute("data-request", first)
    page.get_by_role("button", name="Pause live updates").click()
    second = send(site)
    _entered(site, second)
    page.wait_for_timeout(1_500)  # the server looks once a second
    expect(row(page, second)).to_have_count(0)
    page.get_by_role("button", name="Resume live updates").click()
    expect(row(page, second)).to_be_visible(timeout=15_000)

    row(page, first).get_by_role("link").click()
    expect(page.get_by_role("region", name="About it")).to_contain_text(MARKUP)
    assert page.locator("main img").count() == 0


def _entered(site: Site, request_id: str) -> None:
    """Waits until the ledger has it."""
    with psycopg.connect(site.database_url, autocommit=True) as database:
        deadline = time.monotonic() + 15
        while not database.execute(
            "SELECT 1 FROM usage_event WHERE request_id = %s", [request_id]
        ).fetchone():
            assert time.monotonic() < deadline, request_id
            time.sleep(0.05)
