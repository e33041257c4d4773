"""People and workspaces as an admin handles them in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import Site
from tests.dashboard.page_list import ADA

pytestmark = pytest.mark.slow


@pytest.fixture
def page(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    """Ada's, who has just signed in."""
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies(cookies_of(ADA))
        yield context.new_page()


def test_who_is_invited_joins_by_the_link_and_is_removed_again(
    site: Site, page: Page, chromium: Browser
) -> None:
    page.goto(f"{site.url}/workspaces")
    page.get_by_role("link", name="Members", exact=True).click()
    page.get_by_role("link", name="Invite members").click()
    page.get_by_label("Email addresses").fill("joan@example.com\nnot an address@")
    page.get_by_label("Role").select_option("developer")
    page.get_by_role("button", name="Make links").click()
    link = page.locator("#link-1").inner_text()
    expect(page.locator("textarea")).to_have_value("address@")

    with chromium.new_context() as theirs:
        joining = theirs.new_page()
        joining.goto(link)
        joining.get_by_label("Name").fill("Joan Clarke")
        joining.get_by_label("Password").fill("eight rounds of banburismus")
        joining.get_by_role("button", name="Create account and join").click()
        expect(joining.get_by_role("heading", level=1)).to_have_text("Overview")
        assert joining.goto(link).status == 404  # type: ignore[union-attr]

    page.goto(f"{site.url}/members?q=joan")
    page.get_by_role("link", name="Joan Clarke").click()
    page.get_by_label("Role", exact=True).select_option("billing")
    page.get_by_role("button", name="Change role").click()
    expect(page.get_by_text("joan@example.com has the role Billing now.")).to_be_visible()
    page.get_by_role("link", name="Remove member").click()
    page.get_by_label("Type joan@example.com to confirm").fill("joan@example.com")
    page.get_by_role("button", name="Remove member").click()
    expect(page.get_by_text("joan@example.com is no member any more.")).to_be_visible()


def test_an_invite_is_renewed_and_revoked_after_a_question(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members/invites?status=expired")
    page.get_by_role("button", name="New link for late@example.com").click()
    expect(page.get_by_role("dialog")).to_contain_text("the link before does not work any more")
    page.get_by_role("button", name="Make a new link").click()
    expect(page.locator("#link-1")).to_contain_text(f"{site.url}/invites/")
    page.get_by_role("link", name="Back to invites").click()
    page.get_by_role("button", name="Revoke the invite of late@example.com").click()
    page.get_by_role("button", name="Revoke invite").click()
    expect(page.get_by_text("The invitation of late@example.com is revoked")).to_be_visible()
    expect(page.get_by_role("rowheader", name="late@example.com")).to_have_count(0)


def test_a_workspace_is_made_peopled_limited_and_archived(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/members")
    page.get_by_role("link", name="Workspaces", exact=True).click()
    page.get_by_role("link", name="Create workspace").click()
    page.get_by_label("Name").fill("Summer <school>")
    page.get_by_label("Colour").fill("#12907f")
    page.get_by_role("button", name="Create workspace").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Summer <school>")

    page.get_by_label("Workspace", exact=True).get_by_role("link", name="Members").click()
    page.get_by_label("Email of a member").fill("uma@example.com")
    page.get_by_role("button", name="Add member").click()
    page.get_by_label("Role of uma@example.com").select_option("workspace_admin")
    page.get_by_role("button", name="Set role of uma@example.com").click()
    expect(page.get_by_text("The role of uma@example.com is changed.")).to_be_visible()
    page.get_by_role("button", name="Remove uma@example.com").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove member").click()
    expect(page.get_by_text("uma@example.com does not work in")).to_be_visible()

    page.get_by_role("link", name="Rate limits").click()
    page.get_by_text("Change limits of All models").click()
    page.get_by_label("Requests per minute").first.fill("7")
    page.get_by_role("button", name="Save limits").first.click()
    expect(page.get_by_role("cell", name="7", exact=True).first).to_be_visible()

    page.get_by_label("Workspace", exact=True).get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Archive workspace").click()
    page.get_by_label("Type Summer <school> to confirm").fill("Summer <school>")
    page.get_by_role("button", name="Archive workspace").click()
    expect(page.get_by_text("is archived, and its keys are revoked.")).to_be_visible()


def test_a_member_is_removed_without_a_script(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list]
) -> None:
    """The keys go to somebody else, in a browser that runs no script."""
    with chromium.new_context(java_script_enabled=False) as plain:
        plain.add_cookies(cookies_of(ADA))
        bare = plain.new_page()
        bare.goto(f"{site.url}/members?q=member-7@example.com")
        bare.get_by_role("link", name="Member 7").click()
        bare.get_by_role("link", name="Remove member").click()
        bare.get_by_label("Type member-7@example.com to confirm").fill("member-7@example.com")
        bare.get_by_role("button", name="Remove member").click()
        expect(bare.get_by_text("member-7@example.com is no member any more.")).to_be_visible()
