"""What `${NAME}` in a file may stand for."""

from __future__ import annotations

import os

from django.conf import settings


def variables() -> dict[str, str]:
    """The process environment; the provider keys also from where the settings found them."""
    found = dict(os.environ)
    for name in ("upstream_anthropic_api_key", "upstream_openai_api_key"):
        secret = getattr(settings.CONFIGURATION, name)
        if secret is not None:
            found.setdefault(name.upper(), secret.get_secret_value())
    return found
