"""What admins fill in about their identity provider; what it means as arguments of the actions."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms

from admin_api.queries.sso import admins_with_password
from admin_api.sso_settings import LONGEST_CERTIFICATE, Oidc
from admin_api.sso_settings import Saml as SamlSettings
from dashboard.forms.form import Form
from dashboard.frame.place import Place
from dashboard.frame.role_words import GRANTED
from dashboard.settings.organization_views import OneALine
from gateway.models import Membership, SsoConnection

Kind = SsoConnection.Kind
PEM = forms.Textarea({"rows": 6, "spellcheck": "false", "autocapitalize": "off"})


class ConnectionForm(Form):
    domains = OneALine(
        label="E-mail domains",
        help_text="One a line, such as example.com. A domain counts as yours once an admin's address there is "
        "confirmed, or your operator allowed it; those where anybody gets an address are refused.",
    )
    role = forms.ChoiceField(
        label="Role for new members",
        choices=GRANTED,
        initial=Membership.Role.USER,
        help_text="For people who sign in and are no members yet. Nobody becomes an admin this way.",
    )

    def provider(self) -> Oidc | SamlSettings:
        raise NotImplementedError


class OidcForm(ConnectionForm):
    issuer = forms.CharField(
        label="Issuer", max_length=2000, help_text="Such as https://login.example.com; its discovery is read."
    )
    client_id = forms.CharField(label="Client ID", max_length=191)
    client_secret = forms.CharField(
        label="Client secret",
        max_length=1000,
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Stored encrypted and never shown again. Left empty, the one before stays.",
    )
    field_order = ("issuer", "client_id", "client_secret", "domains", "role")

    def provider(self) -> Oidc:
        given = self.cleaned_data
        return Oidc(given["issuer"], given["client_id"], given["client_secret"] or None)


class SamlForm(ConnectionForm):
    entity_id = forms.CharField(label="Provider's entity ID", max_length=1024)
    sso_url = forms.CharField(
        label="Provider's sign-in address", max_length=2000, help_text="For the HTTP-Redirect binding."
    )
    certificate = forms.CharField(
        label="Provider's signing certificate",
        max_length=LONGEST_CERTIFICATE,
        widget=PEM,
        help_text="As text, from -----BEGIN CERTIFICATE----- on.",
    )
    field_order = ("entity_id", "sso_url", "certificate", "domains", "role")

    def provider(self) -> SamlSettings:
        given = self.cleaned_data
        return SamlSettings(given["entity_id"], given["sso_url"], given["certificate"])


FORMS: dict[str, type[OidcForm] | type[SamlForm]] = {Kind.OIDC: OidcForm, Kind.SAML: SamlForm}


class RequireForm(Form):
    break_glass = forms.MultipleChoiceField(
        label="Admins who may still use their password",
        widget=forms.CheckboxSelectMultiple,
        help_text="For when the provider is away: at least one. Only admins with a password are listed.",
    )

    def __init__(self, place: Place, data: object = None, named: Sequence[str] = ()) -> None:
        super().__init__(data, initial={"break_glass": list(named)})
        choices = [(user.id, user.email) for user in admins_with_password(place.organization)]
        self.fields["break_glass"].choices = choices
