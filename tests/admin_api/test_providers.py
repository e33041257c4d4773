"""What the file of `manage.py apply` cannot say wrongly, the action refuses by itself."""

from __future__ import annotations

import pytest

from admin_api.actions import providers
from admin_api.actor import SYSTEM
from admin_api.catalog import WeightedKey
from gateway.errors import InvalidRequest
from gateway.models import AuditEntry, Provider, ProviderKey

ADDRESS = "http://10.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "openai"}, "dialect: openai speaks openai"),
        (
            {"api_keys": [WeightedKey("sk-hush", 1), WeightedKey("sk-hush", 2)]},
            "api_keys: a key stands here twice",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(db: None, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        providers.upsert(actor=SYSTEM, name="p", dialect="anthropic", base_url=ADDRESS, **arguments)

    assert refused.value.message == message
    assert not Provider.objects.filter(name="p").exists()


def test_an_unknown_preset_is_answered_with_the_known_ones(db: None) -> None:
    with pytest.raises(InvalidRequest, match=r"^preset: expected one of .*anthropic, .*openai"):
        providers.upsert(actor=SYSTEM, name="p", dialect="anthropic", base_url=ADDRESS, preset="nobody")


def test_a_provider_goes_with_its_keys(db: None) -> None:
    keys = [WeightedKey("sk-first-0123456789", 3), WeightedKey("sk-second-9876543210")]
    row = providers.upsert(actor=SYSTEM, name="p", dialect="anthropic", base_url=ADDRESS, api_keys=keys).row

    assert list(row.keys.values_list("api_key_hint", "weight")) == [("6789", 3), ("3210", 100)]
    providers.remove(actor=SYSTEM, provider=row)
    assert not ProviderKey.objects.exists()
    said = str([entry.details for entry in AuditEntry.objects.all()])
    assert "6789" not in said and "(secret)" in said
    assert "6789" not in repr(keys)
