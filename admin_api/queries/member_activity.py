"""When members last sent something with the keys that act for them."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from django.db.models import Max

from gateway.models import ApiKey, Organization


def last_requests(organization: Organization, user_ids: Collection[str]) -> dict[str, datetime.datetime]:
    """By id of the user; who has no key, or none that was used, is absent."""
    keys = ApiKey.objects.filter(organization=organization, user__in=user_ids, use__isnull=False)
    return dict(keys.values_list("user").annotate(Max("use__at")))
