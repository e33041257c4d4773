"""The pools that limits can be set for: the groups of models, and those that are always there."""

from __future__ import annotations

from admin_api.queries.available_models import available_models
from gateway.limit_pools import RESERVED
from gateway.models import ModelGroup, Organization


def pools() -> frozenset[str]:
    """Of the whole installation."""
    return RESERVED.union(ModelGroup.objects.values_list("name", flat=True))


def pools_of(organization: Organization) -> frozenset[str]:
    """Those that the organization has models in; of the others it learns nothing."""
    return RESERVED.union(model.group for model in available_models(organization).models)
