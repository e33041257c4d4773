"""The vendors that a provider may be set up by name (`preset`), as rows: dialect, address, credential header, quirks.

A vendor is an address and a few habits, never a branch in code: adding one is adding a row here and a transcript
in the tests. What differs between the models of a vendor stands in `families`, by the model's name there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.protocol.openai import profile
from gateway.protocol.openai.profile import Profile


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose name (without a `vendor/` in front) matches `names` from its beginning."""

    names: re.Pattern[str]
    profile: Profile


@dataclass(frozen=True, slots=True)
class Vendor:
    """`base_url` is empty where every customer has an address of its own. `bearer`: the key goes after `Bearer`."""

    name: str
    dialect: str
    base_url: str = ""
    key_header: str = "authorization"
    bearer: bool = True
    profile: Profile = profile.DEFAULT
    families: tuple[Family, ...] = ()

    def profile_of(self, model: str) -> Profile:
        """How to write to `model`, as its provider calls it."""
        name = model.rpartition("/")[2].lower()
        return next((each.profile for each in self.families if each.names.match(name)), self.profile)

    def credential(self, api_key: str) -> tuple[str, str]:
        """Name and value of the header that carries the key."""
        return self.key_header, f"Bearer {api_key}" if self.bearer else api_key


_OPENAI_FAMILIES = (Family(re.compile(r"o\d|gpt-5|gpt-oss|codex"), profile.OPENAI_REASONING),)

_ROWS = (
    Vendor("anthropic", "anthropic", "https://api.anthropic.com", key_header="x-api-key", bearer=False),
    Vendor(
        "openai", "openai", "https://api.openai.com/v1", profile=profile.OPENAI, families=_OPENAI_FAMILIES
    ),
)
VENDORS = {vendor.name: vendor for vendor in _ROWS}
_GENERIC = {
    "anthropic": VENDORS["anthropic"],
    "openai": Vendor("", "openai", families=_OPENAI_FAMILIES),
    "simulator": Vendor("", "simulator"),
}
_BY_HOST = {
    urlsplit(vendor.base_url).hostname: vendor for vendor in _ROWS if vendor.base_url.startswith("https:")
}


def vendor_of(preset: str, dialect: str, base_url: str) -> Vendor:
    """The vendor that an operator named, else the one whose public address it is, else any of that dialect."""
    by_host = _BY_HOST.get(urlsplit(base_url).hostname)
    if preset in VENDORS:
        return VENDORS[preset]
    return by_host if by_host is not None and by_host.dialect == dialect else _GENERIC[dialect]
