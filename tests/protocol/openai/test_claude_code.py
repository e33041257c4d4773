"""What Claude Code sends can be told to every vendor; only tools that Anthropic's servers run are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.request import message_request
from gateway.protocol.body import parse
from gateway.protocol.openai.profile import Profile
from gateway.protocol.openai.request import OpenAIRequest, openai_request
from gateway.protocol.vendors import VENDORS, vendor_of

RECORDED = Path(__file__).resolve().parents[2] / "transcripts" / "claude_code"
_OPENAI = [vendor for vendor in VENDORS.values() if vendor.dialect == "openai"]
_PROFILES = [
    vendor_of("", "openai", "").profile,
    *(vendor.profile for vendor in _OPENAI),
    *(family.profile for vendor in _OPENAI for family in vendor.families),
]
PROFILES = list(dict.fromkeys(_PROFILES))
everywhere = pytest.mark.parametrize("profile", PROFILES)


@everywhere
@pytest.mark.parametrize("name", ["first_turn", "after_a_tool", "older_model"])
def test_a_turn_reaches_every_vendor_with_all_its_tools(profile: Profile, name: str) -> None:
    asked = _recorded(name)

    sent = json.loads(_translated(asked, profile).body)

    assert [tool["function"]["name"] for tool in sent["tools"]] == [tool["name"] for tool in asked["tools"]]
    for told, tool in zip(sent["tools"], asked["tools"], strict=True):
        parameters = told["function"]["parameters"]
        assert list(parameters["properties"]) == list(tool["input_schema"]["properties"])
        assert "$schema" not in parameters
    assert (sent["model"], sent["stream"]) == ("upstream-model", True)
    assert not {"system", "context_management", "metadata", "output_config"} & set(sent)


@everywhere
def test_its_attribution_stays_here_and_its_instructions_go(profile: Profile) -> None:
    asked = _recorded("first_turn")

    sent = _translated(asked, profile)
    first, *rest = json.loads(sent.body)["messages"]

    assert first["role"] == ("developer" if profile.developer_role else "system")
    assert first["content"].startswith("You are Claude Code")
    assert "x-anthropic-billing-header" not in sent.body.decode()
    said = "\n".join(turn["content"] for turn in rest)
    assert all(text in said for turn in asked["messages"] for text in _texts(turn))
    assert {"context_management", "safeguards"} <= set(sent.dropped)


@everywhere
def test_a_failed_tool_is_told_in_its_call_order(profile: Profile) -> None:
    asked = _recorded("after_a_tool")

    sent = _translated(asked, profile)
    call, result = json.loads(sent.body)["messages"][-2:]

    (called,) = call["tool_calls"]
    assert (called["function"]["name"], json.loads(called["function"]["arguments"])) == (
        "Bash",
        {"command": "simulated command"},
    )
    assert (result["role"], result["tool_call_id"]) == ("tool", called["id"])
    assert result["content"].startswith("Error: Exit code 127")
    thought, _ = asked["messages"][2]["content"]
    assert thought["signature"] not in sent.body.decode()


@everywhere
def test_a_tool_that_was_fetched_is_called_as_it_is_offered(profile: Profile) -> None:
    """Its name is longer than most vendors take; what fetched it names it in full."""
    asked = _recorded("after_a_fetched_tool")

    sent = _translated(asked, profile)
    told = json.loads(sent.body)

    *_, offered = [tool["function"]["name"] for tool in told["tools"]]
    fetching, fetched = [call for turn in told["messages"] for call in turn.get("tool_calls", [])]
    assert (fetching["function"]["name"], fetched["function"]["name"]) == ("ToolSearch", offered)
    assert len(offered) <= 64
    assert sent.tool_names == {offered: asked["tools"][-1]["name"]}
    assert [turn["content"] for turn in told["messages"] if turn["role"] == "tool"] == [
        f"Tool: {asked['tools'][-1]['name']}",
        "Nothing is written down about Gateways.",
    ]


@everywhere
def test_a_title_is_asked_for_as_json(profile: Profile) -> None:
    """By a field where the vendor has one, else in words."""
    sent = json.loads(_translated(_recorded("title"), profile).body)

    told = sent.get("response_format", {}).get("type") in ("json_schema", "json_object")
    assert told or "JSON schema" in json.dumps(sent["messages"])
    assert "tools" not in sent


@everywhere
def test_a_search_by_anthropics_servers_is_refused_by_name(profile: Profile) -> None:
    with pytest.raises(InvalidRequest, match="web_search_20250305"):
        _translated(_recorded("web_search"), profile)


def _recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def _translated(asked: Any, profile: Profile) -> OpenAIRequest:
    request = message_request(parse(json.dumps(asked).encode()))
    return openai_request(request, model="upstream-model", profile=profile, max_output_tokens=16_384)


def _texts(turn: Any) -> list[str]:
    content = turn["content"]
    return [content] if isinstance(content, str) else [block["text"] for block in content]
