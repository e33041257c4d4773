"""Single sign-on in a real browser: set up, tested, required, and come through, at a provider of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests import oidc_provider, saml_provider
from tests.dashboard.conftest import Site
from tests.dashboard.test_sign_in_browser import looked_at, page, password, sign_out  # noqa: F401 - `page`
from tests.oidc_provider import Provider

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_provider.running() as found:
        yield found


def test_an_admin_sets_it_up_and_somebody_new_comes_through(
    site: Site,
    page: Page,  # noqa: F811 - the fixture
    provider: Provider,
) -> None:
    password(page, site.url, "sol@example.com")
    page.get_by_role("link", name="Settings").first.click()
    page.get_by_role("link", name="Single sign-on").click()
    page.get_by_role("link", name="Add an OpenID Connect provider").click()
    page.get_by_label("Issuer").fill(provider.url)
    page.get_by_label("Client ID").fill("gateway")
    page.get_by_label("Client secret").fill(provider.secret)
    page.get_by_label("E-mail domains").fill("acme.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Draft", exact=True)).to_be_visible()
    looked_at(page, "settings-sso-draft")

    page.get_by_role("button", name="Test sign-in").click()
    expect(page.get_by_text("It works.")).to_be_visible()
    looked_at(page, "settings-sso-test")
    page.get_by_role("link", name="Back to single sign-on").click()
    page.get_by_role("button", name="Turn on").click()
    page.get_by_label("sol@example.com").check()
    looked_at(page, "settings-sso-on")
    page.get_by_role("button", name="Require single sign-on").click()
    expect(page.get_by_text("On, required")).to_be_visible()
    sign_out(page)

    page.get_by_role("link", name="Sign in with SSO").click()
    page.get_by_label("Work email").fill("new@acme.example")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_role("link", name="Settings").first.click()
    expect(page.get_by_role("link", name="Single sign-on")).to_have_count(0)


def test_a_saml_provider_is_set_up_and_somebody_new_comes_through(
    site: Site,
    page: Page,  # noqa: F811 - the fixture
) -> None:
    page.context.route(f"{saml_provider.SSO_URL}*", _provider_answers)
    password(page, site.url, "tom@example.com")
    page.get_by_role("link", name="Settings").first.click()
    page.get_by_role("link", name="Single sign-on").click()
    page.get_by_role("link", name="Add a SAML provider").click()
    page.get_by_label("Provider's entity ID").fill(saml_provider.ENTITY_ID)
    page.get_by_label("Provider's sign-in address").fill(saml_provider.SSO_URL)
    page.get_by_label("Provider's signing certificate").fill(saml_provider.key_pair("idp")[1])
    page.get_by_label("E-mail domains").fill("bachmanity.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Draft", exact=True)).to_be_visible()
    looked_at(page, "settings-saml-draft")

    page.get_by_role("button", name="Test sign-in").click()
    expect(page.get_by_text("It works.")).to_be_visible()
    page.get_by_role("link", name="Back to single sign-on").click()
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("On", exact=True)).to_be_visible()
    looked_at(page, "settings-saml-on")
    sign_out(page)

    page.get_by_role("link", name="Sign in with SSO").click()
    page.get_by_label("Work email").fill("new@bachmanity.example")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def _provider_answers(route: Route) -> None:
    """A page that posts the answer by itself, as providers do."""
    asked = saml_provider.request_in(route.request.url)
    acs, id = asked.get("AssertionConsumerServiceURL"), asked.get("ID")
    answer = saml_provider.Answer(id, acs, asked.findtext("{*}Issuer"), email="new@bachmanity.example")
    field = f'<input type="hidden" name="SAMLResponse" value="{answer.encoded()}">'
    body = (
        f'<form method="post" action="{answer.acs}">{field}</form><script>document.forms[0].submit()</script>'
    )
    route.fulfill(content_type="text/html", body=body)
