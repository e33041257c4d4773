"""Everything that Django itself answers: pages, the Admin API and the platform API. The rest is routed in `asgi.py`.

Imported with the first request that is Django's, and Django REST framework with it.
"""

from django.urls import include, path, re_path

from admin_api.openapi.document import document
from admin_api.views.openapi import openapi
from dashboard.reference import views as reference

urlpatterns = [
    re_path(r"^v1/(?:v1/)?organizations/", include("admin_api.urls")),
    path("platform/v1/", include("admin_api.platform_urls")),
    path("openapi.json", openapi, name="openapi"),
    path("docs", reference.index, {"document": document}, name="reference"),
    path("docs/<str:slug>", reference.chapter, {"document": document}, name="reference_chapter"),
    path("", include("dashboard.urls")),
]

handler400 = "gateway.error_handlers.bad_request"
handler403 = "gateway.error_handlers.forbidden"
handler404 = "gateway.error_handlers.not_found"
handler500 = "gateway.error_handlers.server_error"
