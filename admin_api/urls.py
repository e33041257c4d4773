"""The Admin API below `/v1/organizations/`. No path ends in a slash, none redirects."""

from django.urls import path

from admin_api.views.organization import OrganizationView
from admin_api.views.users import UsersView, UserView

urlpatterns = [
    path("me", OrganizationView.as_view()),
    path("users", UsersView.as_view()),
    path("users/<str:user_id>", UserView.as_view()),
]
