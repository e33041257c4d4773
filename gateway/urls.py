"""Everything that Django itself answers: pages, health. `/v1` of the data plane is routed in `asgi.py`."""

from django.urls import include, path

urlpatterns = [
    path("", include("dashboard.urls")),
]
