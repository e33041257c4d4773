"""Paths that only tests have, below the Admin API's: what comes in goes out again, or goes wrong in every way."""

from __future__ import annotations

from string import ascii_uppercase

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from admin_api.serializers.base import Choice
from admin_api.views.base import AdminApiView
from gateway import errors
from gateway.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

TROUBLES: dict[str, Exception] = {
    "gateway": errors.InvalidRequest("email: already a member", error_code="already_member"),
    "conflict": errors.RateLimited("Slowly.", headers={"retry-after": "3"}),
    "absent": Http404("a table called gateway_user"),
    "absent_drf": exceptions.NotFound(),
    "forbidden": PermissionDenied("inner words"),
    "forbidden_drf": exceptions.PermissionDenied("Your role does not allow it."),
    "nobody": exceptions.NotAuthenticated(),
    "suspicious": SuspiciousOperation("inner words"),
    "no_database": OperationalError("connection to 10.0.0.1 refused"),
    "whole": exceptions.ValidationError("The dates are out of order."),
    "mistake": ZeroDivisionError("inner words"),
}


class Limit(serializers.Serializer):
    type = serializers.CharField()
    value = serializers.IntegerField(allow_null=True)


class Form(serializers.Serializer):
    name = serializers.CharField(max_length=5, min_length=2)
    role = Choice(["user", "developer"], required=False)
    letter = Choice(list(ascii_uppercase), required=False)
    count = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    share = serializers.FloatField(required=False)
    on = serializers.BooleanField(required=False)
    at = serializers.DateTimeField(required=False)
    day = serializers.DateField(required=False)
    email = serializers.EmailField(required=False)
    id = serializers.UUIDField(required=False)
    tags = serializers.DictField(required=False)
    names = serializers.ListField(
        child=serializers.CharField(), required=False, max_length=2, allow_empty=False
    )
    limits = Limit(many=True, required=False)


class Open(AdminApiView):
    authentication_classes = ()
    permission_classes = ()


class Echo(Open):
    def post(self, request: Request) -> Response:
        return Response(request.data)


class Checked(Open):
    def post(self, request: Request) -> Response:
        form = Form(data=request.data)
        form.is_valid(raise_exception=True)
        return Response({})


class Trouble(Open):
    def get(self, request: Request, name: str) -> Response:
        raise TROUBLES[name]


urlpatterns = [
    path("v1/organizations/echo", Echo.as_view()),
    path("v1/organizations/checked", Checked.as_view()),
    path("v1/organizations/trouble/<name>", Trouble.as_view()),
]
