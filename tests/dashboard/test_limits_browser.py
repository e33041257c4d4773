"""What blocks me, and a batch from a file to its failed requests, as a person finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Site
from tests.dashboard.page_list import ADA
from tests.dashboard.test_browser import _problems, polled_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_cookies(cookies_of(ADA))
        yield context.new_page()


def test_one_finds_what_binds_and_why_a_request_was_refused(site: Site, page: Page) -> None:
    problems = _problems(page, "")
    page.clock.install()
    page.goto(f"{site.url}/batches")
    page.get_by_role("link", name="Limits", exact=True).click()
    page.locator("#id_workspace").select_option("Research")
    page.get_by_role("button", name="Show").click()

    row = page.locator(".limit", has_text="Requests per minute").first
    expect(row).to_contain_text("Workspace Research binds")
    expect(row).to_contain_text("2 left")
    told = page.locator("#limits-now time").last
    before = told.inner_text()
    # It refreshes itself, for the same workspace.
    polled_until(page, 2, lambda within: expect(told).not_to_have_text(before, timeout=within))
    expect(row).to_contain_text("Workspace Research binds")

    page.locator("#id_request_id").fill(site.ids["refused"])
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#why")).to_contain_text(
        "Refused by the workspace's rate limit of 40,000 input tokens per minute"
    )
    assert problems == []


def test_a_batch_is_checked_mended_and_started(site: Site, page: Page, tmp_path: Path) -> None:
    def written(*custom_ids: str) -> Path:
        params = {
            "model": "claude-sonnet-5-5",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "Hi"}],
        }
        file = tmp_path / "requests.jsonl"
        file.write_text("\n".join(json.dumps({"custom_id": id, "params": params}) for id in custom_ids))
        return file

    page.goto(f"{site.url}/batches")
    page.get_by_role("link", name="New batch").click()
    page.locator("#id_file").set_input_files(written("a", "b", "a"))
    page.get_by_role("button", name="Check the file").click()
    expect(page.locator(".batch-problems")).to_have_text(
        "Line 3 custom_id: must be unique, and is that of line 1 too"
    )

    page.locator("#id_file").set_input_files(written("a", "b"))
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("2 requests, nothing wrong.")).to_be_visible()
    page.get_by_role("button", name="Start batch").click()

    expect(page.get_by_text("A batch of 2 requests has been started.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/batches/msgbatch_\w+$"))
    expect(page.get_by_role("link", name="b", exact=True)).to_be_visible()


def test_errors_are_downloaded_and_sent_again(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/batches/{site.ids['failed']}")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download errors").click()
    lines = downloading.value.path().read_text().splitlines()
    assert len(lines) == 20
    assert {json.loads(line)["result"]["type"] for line in lines} == {"errored"}

    page.get_by_role("link", name="Send failed ones again").click()
    page.get_by_role("button", name="Start batch").click()

    expect(page.get_by_text("A batch of 20 requests has been started.")).to_be_visible()
