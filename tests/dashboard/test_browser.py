"""Every page in a real browser: both themes, both widths, no error, no accessibility violation, nothing sideways."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.dashboard.conftest import ARTIFACTS, Site
from tests.dashboard.page_list import ADA, PAGES
from tests.people import PASSWORD

pytestmark = pytest.mark.slow

# Everything to press that is not a link within a sentence (WCAG 2.5.8).
SMALL_TARGETS = """[...document.querySelectorAll("button, summary, input, nav a, a.button, a.brand")]
    .filter(one => one.checkVisibility() && one.type !== "hidden")
    .filter(one => Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height) < 24)
    .map(one => one.outerHTML)"""
Change = Callable[[str], None]
# Axe takes its time for each cell, and rows after the first few are made as those are.
AXE = """async () => {
    const rows = document.querySelectorAll("tr:nth-child(n + 8)")
    rows.forEach(row => row.style.display = "none")
    const found = await axe.run(document, {resultTypes: ["violations"], preload: false})
    rows.forEach(row => row.style.display = "")
    return found.violations
}"""
POLLS = 20  # at most, until a page shows what came
# Two looks that have every width and every colour between them.
LOOKS = (("light", 1280, 900), ("dark", 360, 740))


@pytest.fixture(scope="module")
def sessions(cookies_of: Callable[[str], list]) -> dict[str, list]:
    """The cookies of everybody who looks at pages."""
    return {email: cookies_of(email) for email in {who for _, who, _ in PAGES if who}}


def _sign_in(page: Page, site: Site, email: str) -> None:
    page.goto(f"{site.url}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).not_to_have_url(re.compile(r"/login($|\?)"))


@dataclasses.dataclass(frozen=True)
class Tab:
    """Of one person, for page after page; `problems` is what went wrong since they were last forgotten."""

    page: Page
    problems: list[str]


@pytest.fixture(scope="module")
def tab_of(site: Site, chromium: Browser, sessions: dict[str, list]) -> Iterator[Callable[[str | None], Tab]]:
    with contextlib.ExitStack() as stack:

        @functools.cache
        def tab(who: str | None) -> Tab:
            context = stack.enter_context(chromium.new_context(color_scheme="light", reduced_motion="reduce"))
            context.add_cookies(sessions.get(who or "", []))
            page = context.new_page()
            return Tab(page, _problems(page))

        yield tab


@pytest.mark.parametrize(("name", "who", "address"), PAGES, ids=[name for name, _, _ in PAGES])
def test_a_page_looks_right_and_serves_everybody(
    site: Site, tab_of: Callable[[str | None], Tab], name: str, who: str | None, address: str
) -> None:
    """Loaded once, seen twice: light and wide, dark and narrow."""
    tab = tab_of(who)
    tab.page.goto("about:blank")  # what the page before still asked for is broken off here
    tab.problems.clear()
    tab.page.goto(site.url + _path(site, address))
    for theme, width, height in LOOKS:
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.page.evaluate(SMALL_TARGETS) == []
        tab.page.screenshot(path=ARTIFACTS / f"{name}-{theme}-{width}.png", full_page=True)
        assert _violations(tab.page) == [], f"{theme} at {width}"
    assert tab.page.locator("h1").count() == 1
    assert tab.page.locator(".chart table").count() == tab.page.locator("svg.chart-plot").count()
    assert tab.problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_that_was_chosen_comes_with_the_page(site: Site, chromium: Browser, theme: str) -> None:
    with chromium.new_context() as context:
        context.add_cookies([{"name": "theme", "value": theme, "url": site.url}])
        page = context.new_page()
        page.goto(f"{site.url}/login")
        assert page.locator("html").get_attribute("data-theme") == theme


def _path(site: Site, address: str) -> str:
    """Of a link that was printed, or with ids in place of their `{names}`."""
    return address.format(**site.ids) if address.startswith("/") else site.path(getattr(site, address))


def _problems(page: Page, own: str = "") -> list[str]:
    """Fills with errors of the console (a refused inline style or script is one) and failed requests.

    That the page itself answers 404 is also written to the console, and is not an error of the page.
    """
    problems: list[str] = []

    def written(message) -> None:  # type: ignore[no-untyped-def]
        if message.type in ("error", "warning") and message.location.get("url") != (own or page.url):
            problems.append(message.text)

    page.on("console", written)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"{request.url} {request.failure}"))
    return problems


def _violations(page: Page) -> list[str]:
    """What axe finds: each rule with the elements that break it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in page.evaluate(AXE)]


def _but_ended_streams(problems: list[str]) -> list[str]:
    """A page that loads itself anew ends its stream with that."""
    return [problem for problem in problems if not problem.endswith("/events net::ERR_ABORTED")]


def test_one_signs_in_by_keyboard_alone(site: Site, chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/login")
        expect(page.get_by_label("Email")).to_be_focused()
        page.keyboard.type(ADA)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize(("system", "ground"), [("light", "rgb(250, 249, 247)"), ("dark", "rgb(19, 18, 17)")])
def test_without_a_choice_the_system_decides(site: Site, chromium: Browser, system: str, ground: str) -> None:
    with chromium.new_context(color_scheme=system) as context:
        page = context.new_page()
        page.goto(f"{site.url}/login")
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == ground


def test_pages_work_without_javascript(site: Site, chromium: Browser) -> None:
    with chromium.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        _sign_in(page, site, ADA)
        page.get_by_role("link", name="7 d").click()
        expect(page.get_by_role("heading", name="Usage in the last 7 days")).to_be_visible()
        page.locator(".chart-cost summary").click()
        expect(page.locator(".chart-cost table")).to_be_visible()
        page.get_by_role("button", name="Menu", exact=True).click()
        menu = page.get_by_role("dialog", name="Menu")
        menu.get_by_role("button", name="Dark theme").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page).to_have_url(f"{site.url}/?range=7d")
        page.get_by_role("button", name="Menu", exact=True).click()
        menu.get_by_role("link", name="Quickstart").click()
        page.get_by_role("link", name="Claude Code").click()
        expect(page.locator("#snippet")).to_contain_text(f'ANTHROPIC_BASE_URL="{site.url}"')
        page.get_by_role("button", name="Menu", exact=True).click()
        menu.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_menu_of_a_phone_opens_and_closes_by_keyboard(
    site: Site, chromium: Browser, sessions: dict[str, list]
) -> None:
    with chromium.new_context(viewport={"width": 360, "height": 740}) as context:
        context.add_cookies(sessions[ADA])
        page = context.new_page()
        page.goto(site.url)
        page.get_by_role("button", name="Menu", exact=True).focus()
        page.keyboard.press("Enter")
        menu = page.get_by_role("dialog", name="Menu")
        expect(menu).to_be_visible()
        page.screenshot(path=ARTIFACTS / "menu-light-360.png")
        expect(menu.get_by_role("button", name="Close menu")).to_be_focused()
        page.keyboard.press("Escape")
        expect(menu).not_to_be_visible()
        expect(page.get_by_role("button", name="Menu", exact=True)).to_be_focused()


@pytest.fixture
def overview(
    site: Site, chromium: Browser, sessions: dict[str, list]
) -> Iterator[tuple[BrowserContext, Page]]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies(sessions[ADA])
        page = context.new_page()
        page.clock.install()
        page.goto(site.url)
        yield context, page


def polled_until(page: Page, every: float, seen: Callable[[float], None]) -> None:
    """The page's clock, which the test has installed, leaps from poll to poll, `every` so many seconds.

    `seen` fails where that does not show within its milliseconds.
    """
    for _ in range(POLLS):
        page.clock.fast_forward(round(every * 1000))
        with contextlib.suppress(AssertionError):
            return seen(500)
    seen(500)


def _stay_within_the_hour(seconds: float) -> None:
    """When the hour turns, the oldest of the last 24 leaves the page, and its requests with it."""
    left = 3600 - time.time() % 3600
    if left < seconds:
        time.sleep(left + 1)


def test_a_request_moves_the_gauges_and_then_the_usage(
    site: Site, overview: tuple[BrowserContext, Page]
) -> None:
    _, page = overview
    _stay_within_the_hour(30)
    page.reload()
    requests = page.locator(".stat", has_text="Requests").locator(".stat-value")
    before = int((requests.get_attribute("title") or "").replace(",", ""))
    page.locator(".chart-tokens summary").click()
    for _ in range(40):  # the bucket refills by three a second
        _call(site, site.api_key)
    note = page.locator("#meter-requests_per_minute-note")
    left = re.compile(r"^1[678]\d left, full again in \d+ s$")
    page.clock.fast_forward(2_000)
    expect(note).to_have_text(left, timeout=4000)
    polled_until(
        page,
        5,
        lambda within: expect(requests).to_have_attribute("title", f"{before + 40:,}", timeout=within),
    )
    expect(page.locator(".chart-tokens table")).to_be_visible()


def test_pause_stops_the_requests_and_resume_starts_them(overview: tuple[BrowserContext, Page]) -> None:
    _, page = overview
    with page.expect_request(re.compile("/limits$"), timeout=5000):
        page.clock.fast_forward(2_000)
    page.get_by_role("button", name="Pause live updates").click()
    resume = page.get_by_role("button", name="Resume live updates")
    expect(resume).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(10):
        page.clock.fast_forward(6_000)
    page.wait_for_timeout(300)
    assert asked == []
    resume.click()
    with page.expect_request(re.compile("/limits$"), timeout=5000):
        page.clock.fast_forward(2_000)


def test_a_session_that_ended_leads_a_live_page_to_sign_in(overview: tuple[BrowserContext, Page]) -> None:
    context, page = overview
    context.clear_cookies(name="session")
    page.clock.fast_forward(2_000)
    expect(page).to_have_url(re.compile("/login"), timeout=6000)


def test_a_copy_button_copies_the_whole_snippet(
    site: Site, chromium: Browser, sessions: dict[str, list]
) -> None:
    with chromium.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        context.add_cookies(sessions[ADA])
        page = context.new_page()
        page.goto(f"{site.url}/quickstart")
        page.get_by_role("button", name="Copy quickstart.py").click()
        expect(page.get_by_text("Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("#snippet").text_content()


def test_the_first_request_turns_the_waiting_line_green(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list]
) -> None:
    with chromium.new_context() as context:
        context.add_cookies(cookies_of("ingrid@example.com"))
        page = context.new_page()
        page.clock.install()
        page.goto(f"{site.url}/quickstart")
        expect(page.get_by_text("Waiting for your first request")).to_be_visible()
        _call(site, site.fresh_api_key)
        arrived = page.get_by_text("Your first request has arrived.")
        polled_until(page, 2, lambda within: expect(arrived).to_be_visible(timeout=within))


def test_the_organization_switcher_switches_and_closes(site: Site, chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        _sign_in(page, site, ADA)
        switcher = page.locator("header details.switcher")
        switcher.locator("summary").click()
        page.keyboard.press("Escape")
        expect(switcher).not_to_have_attribute("open", "")
        switcher.locator("summary").click()
        page.screenshot(path=ARTIFACTS / "switcher-light-1280.png")
        switcher.get_by_role("button", name="Umbrella").click()
        expect(switcher.locator("summary")).to_contain_text("Umbrella")
        expect(page.get_by_text("No requests yet")).to_be_visible()


@pytest.fixture
def batch(site: Site, chromium: Browser, sessions: dict[str, list]) -> Iterator[tuple[Page, Change]]:
    """The page of a batch, and what changes the batch."""
    with (
        psycopg.connect(site.database_url, autocommit=True) as database,
        chromium.new_context(viewport={"width": 1280, "height": 900}) as context,
    ):
        context.add_cookies(sessions[ADA])
        page, id = context.new_page(), site.ids["watched"]

        def change(what: str) -> None:
            database.execute(f"UPDATE message_batch SET {what} WHERE id = %s".encode(), [id])

        change("status = 'in_progress', succeeded = 0, ended_at = NULL, cancel_initiated_at = NULL")
        page.goto(f"{site.url}/batches/{id}")
        yield page, change


def test_a_batch_moves_while_one_looks_until_it_has_ended(batch: tuple[Page, Change]) -> None:
    page, change = batch
    problems = _problems(page, page.url)
    expect(page.get_by_text("0 of 100", exact=True)).to_be_visible()

    change("succeeded = 40")
    expect(page.get_by_text("40 of 100", exact=True)).to_be_visible(timeout=6000)
    expect(page.locator("[data-bar=succeeded]")).to_have_attribute("width", "400")
    change("status = 'ended', succeeded = 100, ended_at = now()")

    expect(page.get_by_text("One JSON object a line")).to_be_visible(timeout=6000)
    expect(page.get_by_role("button", name="Cancel batch")).to_have_count(0)
    assert _but_ended_streams(problems) == []


def test_the_pause_button_rests_a_batch_too(batch: tuple[Page, Change]) -> None:
    page, change = batch
    change("succeeded = 5")
    expect(page.get_by_text("5 of 100", exact=True)).to_be_visible(timeout=6000)

    page.get_by_role("button", name="Pause").click()
    change("succeeded = 50")
    page.wait_for_timeout(1500)  # the server looks once a second
    expect(page.get_by_text("5 of 100", exact=True)).to_be_visible()
    page.get_by_role("button", name="Resume").click()

    expect(page.get_by_text("50 of 100", exact=True)).to_be_visible(timeout=6000)


def test_one_cancels_a_batch_by_keyboard_after_being_asked(batch: tuple[Page, Change]) -> None:
    page, _ = batch
    page.get_by_role("button", name="Cancel batch").focus()
    page.keyboard.press("Enter")
    asking = page.get_by_role("dialog", name="Cancel this batch?")
    expect(asking).to_be_visible()
    expect(asking.get_by_role("button", name="Keep it running")).to_be_focused()
    page.screenshot(path=ARTIFACTS / "batch-asking-light-1280.png")
    page.keyboard.press("Escape")
    expect(asking).not_to_be_visible()

    page.get_by_role("button", name="Cancel batch").click()
    asking.get_by_role("button", name="Cancel batch").click()

    expect(page.get_by_text("Nothing more of this batch is sent.")).to_be_visible()
    expect(page.get_by_text("Canceling")).to_be_visible()


def test_a_session_that_ended_leaves_a_word_and_a_way(batch: tuple[Page, Change]) -> None:
    page, change = batch
    page.route("**/events", lambda route: route.fulfill(status=503))
    page.clock.install()
    page.reload()
    stopped = page.get_by_text("Live figures have stopped.")
    for _ in range(3):
        expect(stopped).to_be_hidden()
        page.wait_for_timeout(300)
        page.clock.fast_forward(11_000)

    expect(stopped).to_be_visible()
    page.unroute("**/events")
    change("succeeded = 7")
    page.get_by_role("link", name="Load the page again").click()
    expect(page.get_by_text("7 of 100", exact=True)).to_be_visible()


def _call(site: Site, key: str) -> None:
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    request = urllib.request.Request(
        f"{site.url}/v1/messages",
        data=json.dumps(body).encode(),
        headers={
            "x-api-key": key,
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
