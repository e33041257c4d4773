from django.urls import path

from dashboard.views import (
    batches,
    design,
    invites,
    logs,
    overview,
    password_reset,
    preferences,
    quickstart,
    search,
    sign_in,
    usage,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("overview/usage", overview.usage_region, name="overview_usage"),
    path("usage", usage.usage, name="usage"),
    path("usage.csv", usage.usage_file, name="usage_file"),
    path("limits", overview.limits, name="limits"),
    path("batches", batches.batches, name="batches"),
    path("batches/<str:id>", batches.batch, name="batch"),
    path("batches/<str:id>/events", batches.events, name="batch_events"),
    path("batches/<str:id>/cancel", batches.cancel, name="cancel_batch"),
    path("logs", logs.logs, name="logs"),
    path("logs.csv", logs.csv_file, name="logs_csv"),
    path("logs.json", logs.json_file, name="logs_json"),
    path("logs/events", logs.events, name="log_events"),
    path("logs/<str:id>", logs.log, name="log"),
    path("quickstart", quickstart.quickstart, name="quickstart"),
    path("quickstart/first-request", quickstart.first_request, name="first_request"),
    path("login", sign_in.SignIn.as_view(), name="account_login"),  # the name that allauth looks for
    path(
        "reauthenticate", sign_in.Reauthenticate.as_view(), name="account_reauthenticate"
    ),  # allauth's name, too
    path("logout", sign_in.sign_out, name="sign_out"),
    path("invites/<str:token>", invites.accept_invite, name="accept_invite"),
    path("reset/<str:token>", password_reset.reset_password, name="reset_password"),
    path("search", search.search, name="search"),
    path("ui", design.ui, name="ui"),
    path("theme", preferences.choose_theme, name="choose_theme"),
    path("time-zone", usage.choose_time_zone, name="choose_time_zone"),
    path("shortcuts", preferences.choose_shortcuts, name="choose_shortcuts"),
    path("organization", preferences.choose_organization, name="choose_organization"),
]
