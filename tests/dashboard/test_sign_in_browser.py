"""Second factors in a real browser: an authenticator app with its recovery codes, and a passkey of a device."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import ARTIFACTS, Site
from tests.dashboard.test_browser import _violations
from tests.people import PASSWORD

pytestmark = pytest.mark.slow


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        assert problems == []


def password(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page).to_have_url(re.compile("/login$"))


def looked_at(page: Page, name: str) -> None:
    """Kept as a picture, with nothing that keeps anybody out, at both widths."""
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=ARTIFACTS / f"{name}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert _violations(page) == [], f"at {width}"
    page.set_viewport_size({"width": 1280, "height": 900})


def code_of(secret: str, *, periods: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def stay_within_a_period(seconds: float) -> None:
    """When it turns, the code of the one before is too old."""
    left = 30 - time.time() % 30
    if left < seconds:
        time.sleep(left)


def test_an_app_is_set_up_and_asked_for_and_a_recovery_code_stands_in(site: Site, page: Page) -> None:
    password(page, site.url, "tess@example.com")
    page.get_by_role("link", name="Settings").first.click()
    page.get_by_role("link", name="Security").click()
    page.get_by_role("link", name="Set up").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator("#secret").inner_text().replace(" ", "")
    stay_within_a_period(8)
    page.get_by_label("Code").fill(code_of(secret, periods=-1))
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#codes").inner_text().split()
    assert len(codes) == 10
    looked_at(page, "recovery-codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 left.")).to_be_visible()
    looked_at(page, "settings-security-with-app")

    sign_out(page)
    password(page, site.url, "tess@example.com")
    expect(page.get_by_role("heading", level=1)).to_have_text("Second factor")
    looked_at(page, "second-factor")
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    sign_out(page)
    password(page, site.url, "tess@example.com")
    page.get_by_label("Code").fill(codes[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.goto(f"{site.url}/settings/security")
    expect(page.get_by_text("9 left.")).to_be_visible()


def test_a_passkey_is_made_and_opens_as_second_factor_and_alone(site: Site, page: Page) -> None:
    url = site.url.replace("127.0.0.1", "localhost")  # passkeys belong to names
    with_device(page)
    password(page, url, "pia@example.com")
    page.goto(f"{url}/settings/security")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Laptop", exact=True)).to_be_visible()

    sign_out(page)
    password(page, url, "pia@example.com")
    expect(page.get_by_role("heading", level=1)).to_have_text("Second factor")
    looked_at(page, "second-factor-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    sign_out(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.goto(f"{url}/reauthenticate?next=%2Fsettings%2Fsecurity")
    looked_at(page, "reauthenticate-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{url}/settings/security")


def with_device(page: Page) -> None:
    """A fingerprint reader that recognizes everybody."""
    browser = page.context.new_cdp_session(page)
    browser.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    browser.send("WebAuthn.addVirtualAuthenticator", {"options": options})
