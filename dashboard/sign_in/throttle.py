"""How often a password may be guessed, without letting strangers lock people out.

- A device that somebody signed in on before (`known_devices.py`) has ten failures in 15 minutes of its own; what
  others do to the account, or from the same address, does not touch it.
- Every other attempt counts for the address that it comes from, and for the account, known or not: ten each.
- Beyond the account's ten an address that has not failed there yet has one attempt, so that the right person gets in
  with the right password while somebody else guesses; and there are a hundred of those at most.
"""

from __future__ import annotations

from allauth.core.internal import ratelimit
from allauth.core.internal.ratelimit import RateLimitUsage
from django.http import HttpRequest

from dashboard.sign_in import known_devices

MINUTES = 15
RATES = {
    "device": f"10/{MINUTES}m/key",
    "address": f"10/{MINUTES}m/ip",
    "account": f"10/{MINUTES}m/key",
    "first": f"1/{MINUTES}m/key",
    "beyond": f"100/{MINUTES}m/key",
    "code": f"10/{MINUTES}m/key",
    "reset_address": f"10/{MINUTES}m/ip",
    "reset_account": f"3/{MINUTES}m/key",
    "sso": f"300/{MINUTES}m/ip",
}


class Attempts:
    """What one request takes of the rates; `give_back` when it turns out to be right."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._taken: list[RateLimitUsage] = []

    def take(self, action: str, key: str = "") -> bool:
        """Whether there is one left."""
        usage = ratelimit.consume(self._request, app="dashboard", action=action, config=RATES, key=key)
        if usage is not None:
            self._taken.append(usage)
        return usage is not None

    def give_back(self) -> None:
        for usage in self._taken:
            usage.rollback()
        self._taken.clear()


class PasswordAttempt:
    """One password for one account. Where it is not `allowed` nobody looks at it; `last_word` says that a wrong one is
    answered as too many are.
    """

    def __init__(self, request: HttpRequest, email: str) -> None:
        self._attempts = Attempts(request)
        self.last_word = False
        self.allowed = self._take(request, account_key(email))

    def give_back(self) -> None:
        self._attempts.give_back()

    def _take(self, request: HttpRequest, account: str) -> bool:
        device = known_devices.known(request, account)
        if device:
            return self._attempts.take("device", f"{device} {account}")
        if not self._attempts.take("address"):
            return False
        first = self._attempts.take("first", f"{ratelimit.get_ip(request)} {account}")
        if self._attempts.take("account", account):
            return True
        self.last_word = True
        return first and self._attempts.take("beyond", account)


def account_key(email: str) -> str:
    """Upper case as the database compares addresses, so that no second spelling of an address counts anew."""
    return email.strip().upper()
