"""A small SAML identity provider: answers that it signs with xmlsec, and that can be wrong in one way."""

from __future__ import annotations

import base64
import datetime
import functools
import secrets
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

ENTITY_ID = "https://idp.example/saml"
SSO_URL = "https://1.1.1.1/saml/sign-in"
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@functools.cache
def key_pair(name: str) -> tuple[str, str]:
    """The private key and the certificate as PEM; the provider's own are those of "idp"."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return private, made.public_bytes(Encoding.PEM).decode()


def request_in(address: str) -> etree._Element:
    """The request that a browser carries to the provider in this address."""
    packed = parse_qs(urlsplit(address).query)["SAMLRequest"][0]
    return etree.fromstring(zlib.decompress(base64.b64decode(packed), -15))


@dataclass
class Answer:
    """`sign` is what is signed: the assertion, the response around it, or nothing. None leaves a thing out."""

    request_id: str | None
    acs: str
    audience: str | None
    email: str = "new@acme.example"
    name_id: str = "sub-new"
    name_id_format: str = PERSISTENT
    name: str = "New"
    email_verified: str | None = None
    destination: str | None = ""
    recipient: str | None = ""
    confirmed_request: str | None = ""
    issuer: str = ENTITY_ID
    seconds: int = 300
    asked_seconds_ago: int = 0
    sign: str = "assertion"
    signer: str = "idp"
    method: str = "sha256"

    def encoded(self) -> str:
        """As `SAMLResponse` is posted."""
        tree = etree.fromstring(self._xml().encode())
        if self.sign != "nothing":
            found = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
            self._sign(tree.find(found) if self.sign == "assertion" else tree)
        return base64.b64encode(etree.tostring(tree)).decode()

    def _xml(self) -> str:
        until = _at(self.seconds)
        destination = self.acs if self.destination == "" else self.destination
        recipient = self.acs if self.recipient == "" else self.recipient
        confirmed = self.request_id if self.confirmed_request == "" else self.confirmed_request
        restriction = (
            f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
            if self.audience
            else ""
        )
        verified = _attribute("email_verified", self.email_verified) if self.email_verified else ""
        return f"""<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_{secrets.token_hex(12)}" Version="2.0"
 IssueInstant="{_at(0)}"{_named("Destination", destination)}{_named("InResponseTo", self.request_id)}>
<saml:Issuer>{self.issuer}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion ID="_{secrets.token_hex(12)}" Version="2.0" IssueInstant="{_at(0)}">
<saml:Issuer>{self.issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="{self.name_id_format}">{self.name_id}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{until}"{_named("Recipient", recipient)}
{_named("InResponseTo", confirmed)}/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{_at(-300)}" NotOnOrAfter="{until}">{restriction}</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{_at(-self.asked_seconds_ago)}"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>{_attribute("email", self.email)}{_attribute("displayName", self.name)}{verified}
</saml:AttributeStatement>
</saml:Assertion></samlp:Response>"""

    def _sign(self, node: etree._Element) -> None:
        transforms = xmlsec.constants
        digest, signature_method = {
            "sha256": (transforms.TransformSha256, transforms.TransformRsaSha256),
            "sha1": (transforms.TransformSha1, transforms.TransformRsaSha1),
        }[self.method]
        signature = xmlsec.template.create(node, transforms.TransformExclC14N, signature_method, ns="ds")
        node.insert(1, signature)  # after the issuer
        reference = xmlsec.template.add_reference(signature, digest, uri=f"#{node.get('ID')}")
        xmlsec.template.add_transform(reference, transforms.TransformEnveloped)
        xmlsec.template.add_transform(reference, transforms.TransformExclC14N)
        key_info = xmlsec.template.ensure_key_info(signature)
        xmlsec.template.add_x509_data(key_info)
        private, certificate = key_pair(self.signer)
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(private, xmlsec.constants.KeyDataFormatPem)
        context.key.load_cert_from_memory(certificate, xmlsec.constants.KeyDataFormatPem)
        context.register_id(node, "ID")
        context.sign(signature)


def _named(name: str, value: str | None) -> str:
    return f' {name}="{value}"' if value else ""


def _attribute(name: str, value: str) -> str:
    return (
        f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>'
    )


def _at(seconds: int) -> str:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
