"""Models that are used for nothing because nobody said what they cost."""

from __future__ import annotations

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from admin_api.queries import catalog
from admin_api.queries.available_models import available_models
from gateway.models import Organization, Price


def unpriced_models(organization: Organization) -> list[str]:
    """Names of the models that the organization may use and that have no price now, sorted.

    One query as long as every model has a price, which is what every page of the dashboard counts on.
    """
    priced = Price.objects.filter(model=OuterRef("pk"), effective_at__lte=Now())
    unpriced = catalog.models().prefetch_related(None).filter(~Exists(priced))
    names = set(unpriced.values_list("name", flat=True))
    if not names:
        return []
    return sorted(model.name for model in available_models(organization).models if model.name in names)
