"""The platform API below `/platform/v1/`, for operators. Names of the catalog may hold slashes."""

from django.urls import path

from admin_api.views.platform.admin_keys import AdminKeyRevokeView, AdminKeysView
from admin_api.views.platform.credit import CreditView
from admin_api.views.platform.model_groups import ModelGroupsView, ModelGroupView
from admin_api.views.platform.models import ModelsView, ModelView
from admin_api.views.platform.organizations import (
    OrganizationResumeView,
    OrganizationSuspendView,
    OrganizationsView,
    OrganizationView,
)
from admin_api.views.platform.providers import ProvidersView, ProviderView
from admin_api.views.platform.tiers import TiersView, TierView

urlpatterns = [
    path("organizations", OrganizationsView.as_view()),
    path("organizations/<str:organization_id>", OrganizationView.as_view()),
    path("organizations/<str:organization_id>/suspend", OrganizationSuspendView.as_view()),
    path("organizations/<str:organization_id>/resume", OrganizationResumeView.as_view()),
    path("organizations/<str:organization_id>/credit", CreditView.as_view()),
    path("organizations/<str:organization_id>/admin_keys", AdminKeysView.as_view()),
    path(
        "organizations/<str:organization_id>/admin_keys/<str:api_key_id>/revoke", AdminKeyRevokeView.as_view()
    ),
    path("providers", ProvidersView.as_view()),
    path("providers/<path:name>", ProviderView.as_view()),
    path("model_groups", ModelGroupsView.as_view()),
    path("model_groups/<path:name>", ModelGroupView.as_view()),
    path("models", ModelsView.as_view()),
    path("models/<path:name>", ModelView.as_view()),
    path("tiers", TiersView.as_view()),
    path("tiers/<path:name>", TierView.as_view()),
]
