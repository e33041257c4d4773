"""What operators and admins do in a real browser: a provider, a model with its price, harm asked for, the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Site
from tests.dashboard.page_list import ADA, OLGA
from tests.dashboard.test_browser import _problems, polled_until

pytestmark = pytest.mark.slow
SECRET = "sk-of-a-provider-0123456789wxyz"


@pytest.fixture
def olga(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_cookies(cookies_of(OLGA))
        yield context.new_page()


def test_a_provider_is_added_a_model_routed_to_it_and_the_provider_drained(site: Site, olga: Page) -> None:
    problems = _problems(olga, "")
    olga.goto(site.url)
    olga.get_by_role("link", name="Models & providers").first.click()
    olga.get_by_role("link", name="Add provider").click()
    olga.get_by_label("Name").fill("browser-provider")
    olga.get_by_label("Vendor").select_option("groq")
    olga.get_by_label("Key", exact=False).last.fill(SECRET)
    olga.get_by_role("button", name="Add provider").click()
    expect(olga.get_by_role("heading", level=1)).to_have_text("browser-provider")
    assert SECRET not in olga.content() and "…wxyz" in olga.content()

    olga.get_by_role("link", name="Add model").click()
    olga.get_by_label("Name", exact=True).fill("browser-model")
    first = olga.get_by_role("group", name="Route 1")
    first.get_by_label("Provider").select_option("browser-provider")
    first.get_by_label("Model there").fill("llama")
    olga.get_by_role("button", name="Add model").click()
    olga.get_by_label("Input").first.fill("0.59")
    olga.get_by_label("Output").first.fill("0.79")
    olga.get_by_role("button", name="Set price").click()
    expect(olga.locator("main")).to_contain_text("Output $0.79")

    olga.get_by_role("link", name="browser-provider").click()
    olga.get_by_role("button", name="Drain").click()
    olga.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(olga.locator("main")).to_contain_text("Drained since")
    olga.get_by_role("button", name="Put back").click()
    expect(olga.locator("main")).to_contain_text("Requests go there again.")
    olga.get_by_role("button", name="Remove", exact=True).click()
    olga.get_by_label("Type browser-provider to confirm").fill("browser-provider")
    olga.get_by_role("button", name="Remove provider").click()
    expect(olga.get_by_role("alert")).to_contain_text("browser-model would have no route left")
    assert [one for one in problems if "400" not in one] == []


def test_the_log_tells_of_what_happens_while_it_is_open_and_is_whole(
    site: Site, chromium: Browser, olga: Page, cookies_of: Callable[[str], list]
) -> None:
    olga.clock.install()
    olga.goto(f"{site.url}/audit-log")
    with chromium.new_context(viewport={"width": 360, "height": 740}) as context:
        context.add_cookies(cookies_of(ADA))
        ada = context.new_page()
        ada.goto(f"{site.url}/api-keys/new")
        ada.get_by_label("Name").fill("Seen in the log")
        ada.get_by_role("button", name="Create key").click()
        pill = olga.get_by_role("link", name=re.compile("new entr"))
        polled_until(olga, 5, lambda within: expect(pill).to_be_visible(timeout=within))
        pill.click()
        row = olga.get_by_role("row", name=re.compile("API key created")).first
        expect(row).to_contain_text("Seen in the log")
        row.get_by_role("link").click()
        expect(olga.locator("main")).to_contain_text("127.0.0.1")
        expect(olga.locator("main")).to_contain_text("Chrome/")
        ada.goto(f"{site.url}/audit-log")
        ada.get_by_role("link", name="Verify").click()
        expect(ada.get_by_role("status").first).to_contain_text("The audit log is whole.")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_an_organization_is_made_and_its_admins_link_shown_once(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list], script: bool
) -> None:
    with chromium.new_context(java_script_enabled=script) as context:
        context.add_cookies(cookies_of(OLGA))
        page = context.new_page()
        page.goto(f"{site.url}/organizations/new")
        page.get_by_label("Name").fill(f"Globex, script {script}")
        page.get_by_label("First admin").fill(f"hank-{script}@example.com".lower())
        page.get_by_role("button", name="Create organization").click()
        link = page.locator("#invite-link").inner_text()
        assert link.startswith(f"{site.url}/invites/")

        page.reload()

        expect(page.get_by_role("heading", level=1)).to_have_text(f"Globex, script {script}")
        assert link not in page.content()
