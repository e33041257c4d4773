"""The Admin API below `/v1/organizations/`. No path ends in a slash, none redirects."""

from django.urls import path

from admin_api.views.organization import OrganizationView

urlpatterns = [
    path("me", OrganizationView.as_view()),
]
