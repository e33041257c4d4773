"""Which models an organization, a workspace and a key may use, whatever name they ask by."""

from __future__ import annotations

import pytest

from tests.data_plane.house import ALIASES, HASTY, SCRIPTED, TRANSLATED, House, body

NAMES = [SCRIPTED, *ALIASES, f"scripted/{SCRIPTED}", f"{SCRIPTED}-20250929"]


@pytest.fixture(scope="module")
def keys(house: House) -> dict[str, str]:
    """A key under a rule of each holder: none may use the scripted model, all may use others."""
    wish = house.office.wish
    wish("organization", name="Denied", tier="enterprise", deny_models=[ALIASES[0]])
    wish("organization", name="Free", tier="enterprise")
    workspace = wish("workspace", organization="Free", name="narrow", allow_models=[HASTY, "gpt-*"])["id"]
    return {
        "your organization": wish("api_key", organization="Denied")["secret"],
        "your workspace": wish("api_key", organization="Free", workspace=workspace)["secret"],
        "this API key": wish("api_key", organization="Free", deny_models=["claude-script*"])["secret"],
    }


@pytest.mark.parametrize("holder", ["your organization", "your workspace", "this API key"])
@pytest.mark.parametrize("name", NAMES)
def test_a_denied_model_is_refused_by_every_name(
    house: House, keys: dict[str, str], holder: str, name: str
) -> None:
    answer = house.post(body(name), key=keys[holder])

    assert (answer.status, answer.json["error"]) == (
        403,
        {"type": "permission_error", "message": f"model: {holder} may not use {name}"},
    )


@pytest.mark.parametrize("holder", ["your organization", "your workspace", "this API key"])
def test_other_models_can_be_used(house: House, keys: dict[str, str], holder: str) -> None:
    answers = [house.post(body(name), key=keys[holder]) for name in (HASTY, TRANSLATED)]

    assert [answer.status for answer in answers] == [200, 200]


@pytest.mark.parametrize("holder", ["your organization", "your workspace", "this API key"])
def test_a_denied_model_is_not_shown(house: House, keys: dict[str, str], holder: str) -> None:
    listed = house.get("/v1/models?limit=1000", key=keys[holder])
    single = house.get(f"/v1/models/{SCRIPTED}", key=keys[holder])

    names = {model["id"] for model in listed.json["data"]}
    assert SCRIPTED not in names and HASTY in names
    assert (single.status, single.json["error"]["type"]) == (404, "not_found_error")
