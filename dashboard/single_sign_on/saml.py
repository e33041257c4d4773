"""SAML 2.0 on django-allauth and python3-saml, strict: a signed assertion, for us, here, now, once, and asked for.

What python3-saml lets pass where a provider leaves it out (whom the assertion is for, where it was to be sent, which
request it answers) has to be there.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from admin_api.actions.sso_members import Identity
from gateway.models import SsoConnection

LONGEST_SECONDS = 24 * 3600  # an assertion that is valid for longer is remembered no longer
AGAIN_SECONDS = 300
ASSERTION = "/samlp:Response/saml:Assertion"
CONFIRMATION = f"{ASSERTION}/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
EMAILS = (
    "email",
    "mail",
    "emailAddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
)
NAMES = (
    "name",
    "displayName",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
)
FALSE = ("false", "0", "no")


class SamlError(Exception):
    """Why an answer is not believed."""


class Saml(SAMLProvider):
    default_attribute_mapping = {"email": list(EMAILS)}  # noqa: RUF012 - the subject is the NameID alone

    def extract_extra_data(self, data: object) -> dict[str, object]:
        """Nothing of it is kept."""
        return {}

    def begin(self, request: HttpRequest, data: dict[str, object], *, again: bool, hint: str) -> HttpResponse:
        auth = _auth(self.app.connection, "")
        address = auth.login(return_to="", force_authn=again)
        self.stash_redirect_state(request, "login", data=data, state_id=auth.get_last_request_id())
        return HttpResponseRedirect(address)

    def login_from(self, request: HttpRequest, answer: str) -> SocialLogin:
        """From a `SAMLResponse`. Raises `SamlError`, and Django's `PermissionDenied` for what nobody asked for."""
        auth = _auth(self.app.connection, answer)
        _check_valid(auth)
        state_id = auth.get_last_response_in_response_to()
        if not state_id:
            raise SamlError("nobody asked for this sign-in")
        state = self.unstash_redirect_state(request, state_id)
        document = OneLogin_Saml2_XML.to_etree(auth.get_last_response_xml())
        _check_for_us(document, self.app.connection, state_id)
        _check_once(auth, self.app.connection)
        identity = _identity(auth)
        try:
            login = self.sociallogin_from_response(request, auth)
        except (ValueError, ImproperlyConfigured):
            raise SamlError("the provider tells no name of this person, or one that is too long") from None
        login.state, login.identity = state, identity
        login.authenticated_at = _instant(document)
        return login

    def check_answer(self, login: SocialLogin, data: dict[str, Any], *, again: bool) -> None:
        """The answer names its question itself. Raises `SamlError`."""
        if again and abs(time.time() - login.authenticated_at) > AGAIN_SECONDS:
            raise SamlError("the provider did not ask again who it is")


def acs_url(connection_id: str) -> str:
    return f"{settings.CONFIGURATION.base_url}{reverse('sso_saml_acs', args=[connection_id])}"


def sp_entity_id(connection_id: str) -> str:
    """Also where our metadata is."""
    return f"{settings.CONFIGURATION.base_url}{reverse('sso_saml_metadata', args=[connection_id])}"


def sp_metadata(connection: SsoConnection) -> bytes:
    found = OneLogin_Saml2_Settings(_settings(connection), sp_validation_only=True).get_sp_metadata()
    return found if isinstance(found, bytes) else str(found).encode()


def _auth(connection: SsoConnection, answer: str) -> OneLogin_Saml2_Auth:
    here = urlsplit(acs_url(connection.id))
    request = {
        "https": "on" if here.scheme == "https" else "off",
        "http_host": here.netloc,
        "script_name": here.path,
        "get_data": {},
        "post_data": {"SAMLResponse": answer} if answer else {},
    }
    return OneLogin_Saml2_Auth(request, _settings(connection))


def _settings(connection: SsoConnection) -> dict[str, Any]:
    return {
        "strict": True,
        "sp": {
            "entityId": sp_entity_id(connection.id),
            "assertionConsumerService": {"url": acs_url(connection.id), "binding": Names.BINDING_HTTP_POST},
            "NameIDFormat": Names.NAMEID_UNSPECIFIED,
        },
        "idp": {
            "entityId": connection.entity_id,
            "singleSignOnService": {"url": connection.sso_url, "binding": Names.BINDING_HTTP_REDIRECT},
            "x509cert": connection.certificate,
        },
        "security": {
            "wantAssertionsSigned": True,
            "wantNameId": True,
            "wantAttributeStatement": False,
            "allowRepeatAttributeName": True,
            "rejectDeprecatedAlgorithm": True,
            "requestedAuthnContext": False,
            "allowSingleLabelDomains": True,
        },
    }


def _check_valid(auth: OneLogin_Saml2_Auth) -> None:
    try:
        auth.process_response()
    except (
        OneLogin_Saml2_Error,
        ValueError,
        SyntaxError,
    ) as problem:  # what is no base64, no XML, or no answer
        raise SamlError(str(problem)) from None
    if auth.get_errors() or not auth.is_authenticated():
        raise SamlError(str(auth.get_last_error_reason() or "the answer is not valid"))


def _check_for_us(document: Any, connection: SsoConnection, state_id: str) -> None:
    """In the assertion itself, which is what is signed."""
    here = acs_url(connection.id)
    audiences = f"{ASSERTION}/saml:Conditions/saml:AudienceRestriction/saml:Audience"
    named = [one.text for one in OneLogin_Saml2_XML.query(document, audiences)]
    if sp_entity_id(connection.id) not in named:
        raise SamlError("the assertion names no audience, or not us")
    if document.get("Destination") not in (None, here):
        raise SamlError("the answer was meant for another address")
    confirmations = OneLogin_Saml2_XML.query(document, CONFIRMATION)
    if not confirmations:
        raise SamlError("the assertion is not confirmed")
    for one in confirmations:
        if one.get("InResponseTo") != state_id:
            raise SamlError("the assertion answers another sign-in")
        if one.get("Recipient") != here or not one.get("NotOnOrAfter"):
            raise SamlError("the assertion was meant for another address, or for ever")


def _check_once(auth: OneLogin_Saml2_Auth, connection: SsoConnection) -> None:
    left = (auth.get_last_assertion_not_on_or_after() or 0) - time.time()
    seconds = int(min(max(left, 60), LONGEST_SECONDS)) + 60
    if not cache.add(f"sso:assertion:{connection.id}:{auth.get_last_assertion_id()}", 1, seconds):
        raise SamlError("the assertion was used before")


def _identity(auth: OneLogin_Saml2_Auth) -> Identity:
    """The provider speaks for its domains, so an address of these is verified unless it says otherwise."""
    if auth.get_nameid_format() == Names.NAMEID_TRANSIENT:
        raise SamlError("the provider names people anew each time; have it send a name that stays")
    told = auth.get_attributes()
    by_name = auth.get_nameid_format() == Names.NAMEID_EMAIL_ADDRESS
    denied = [str(value).lower() for value in told.get("email_verified", [])]
    return Identity(
        subject=auth.get_nameid() or "",
        email=_first(told, EMAILS) or (auth.get_nameid() if by_name else ""),
        email_verified=not any(value in FALSE for value in denied),
        name=_first(told, NAMES),
    )


def _first(told: dict[str, list[Any]], names: tuple[str, ...]) -> str:
    return next((str(told[name][0]) for name in names if told.get(name) and told[name][0]), "")


def _instant(document: Any) -> float:
    """When the provider asked who it is, in seconds since 1970."""
    (statement,) = OneLogin_Saml2_XML.query(document, f"{ASSERTION}/saml:AuthnStatement")
    return float(OneLogin_Saml2_Utils.parse_SAML_to_time(statement.get("AuthnInstant")))
