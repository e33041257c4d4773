"""Who proves twice that it is them."""

from __future__ import annotations

from collections.abc import Collection

from django.apps import apps


def with_second_factor(user_ids: Collection[str]) -> frozenset[str] | None:
    """Those of these users who sign in with more than a password; None where this gateway asks nobody for more.

    Recovery codes alone are no factor: they stand in for one.
    """
    if not apps.is_installed("allauth.mfa"):
        return None
    factors = apps.get_model("mfa", "Authenticator")._default_manager.exclude(type="recovery_codes")
    return frozenset(factors.filter(user_id__in=user_ids).values_list("user_id", flat=True))
