"""Lists of what is known by name."""

from __future__ import annotations

from admin_api.catalog_checks import LONGEST_MODEL
from admin_api.serializers.base import IdQuery, Text


class NameQuery(IdQuery):
    """As `IdQuery`, where the name is the id."""

    after_id = Text(required=False, max_length=LONGEST_MODEL, help_text="The page right after this name.")
    before_id = Text(required=False, max_length=LONGEST_MODEL, help_text="The page right before this name.")
