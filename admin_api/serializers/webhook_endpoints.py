"""Webhook endpoints, as the API shows and takes them."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.serializers.base import Body, Choice, Constant, IdQuery, Text
from admin_api.webhook_addresses import LONGEST, checked_address
from admin_api.webhook_events import TYPES
from gateway.models import WebhookEndpoint

_EVENTS = f"What is told there: {', '.join(TYPES)}."


class WebhookEndpointSerializer(serializers.Serializer):
    """A `WebhookEndpoint`, never its secret."""

    id = serializers.CharField()
    url = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    enabled_events = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(WebhookEndpoint.State.choices)
    disabled_reason = serializers.CharField(
        help_text="Why the gateway disabled it; empty where it is enabled, or where you disabled it."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WebhookSigningSecretSerializer(serializers.Serializer):
    """`{signing_secret}`, which is told once."""

    signing_secret = serializers.CharField(help_text="Told once: `whsec_` and 256 bits in base64.")


class WebhookEndpointMadeSerializer(WebhookEndpointSerializer, WebhookSigningSecretSerializer):
    """With the secret, which is told once."""


class WebhookEndpointRemovedSerializer(serializers.Serializer):
    """`{id, type}`."""

    id = serializers.CharField()
    type = Constant("webhook_endpoint_deleted")


class WebhookUrl(Text):
    """An address on the internet, checked and looked up."""

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        try:
            return checked_address(text)
        except ValueError as problem:
            raise serializers.ValidationError(str(problem)) from None


class WebhookEndpointListQuery(IdQuery):
    order = Choice(["desc"], required=False, help_text="The newest first; there is no other order here.")


class WebhookEndpointCreate(Body):
    """A new endpoint."""

    url = WebhookUrl(max_length=LONGEST, help_text="https, and on the internet; redirects are not followed.")
    enabled_events = serializers.ListField(
        child=Choice(TYPES), min_length=1, max_length=20, help_text=_EVENTS
    )
    name = Text(max_length=200, required=False, allow_blank=True)
    description = Text(max_length=1000, required=False, allow_blank=True)


class WebhookEndpointUpdate(Body):
    """What changes; what is absent stays."""

    url = WebhookUrl(
        max_length=LONGEST,
        required=False,
        help_text="https, and on the internet; redirects are not followed.",
    )
    enabled_events = serializers.ListField(
        child=Choice(TYPES),
        required=False,
        max_length=20,
        help_text="All of them; an empty list changes nothing.",
    )
    name = Text(max_length=200, required=False, allow_blank=True)
    description = Text(max_length=1000, required=False, allow_blank=True)
    state = Choice(
        WebhookEndpoint.State.choices,
        required=False,
        help_text="What happens while it is disabled is never told there.",
    )
