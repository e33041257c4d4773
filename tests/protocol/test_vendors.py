"""The vendors as rows, and which habits a model has by its name there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from admin_api.provider_addresses import provider_address
from gateway.protocol.openai import profile
from gateway.protocol.openai.profile import EFFORTS, LOW_TO_HIGH, Profile, ReasoningHistory, TurnOrder
from gateway.protocol.vendors import VENDORS, Vendor, vendor_of

EVERY = pytest.mark.parametrize("vendor", VENDORS.values(), ids=list(VENDORS))
AT_HOME = {"ollama", "vllm", "lmstudio", "llamacpp", "sglang"}
ADDRESS_GIVEN = {"azure", "litellm"}


@EVERY
def test_every_row_is_whole(vendor: Vendor) -> None:
    assert VENDORS[vendor.name] is vendor
    assert vendor.dialect in ("anthropic", "openai")
    assert vendor.bearer == (vendor.key_header == "authorization")
    assert bool(vendor.base_url) == (vendor.name not in ADDRESS_GIVEN)


@EVERY
def test_every_address_is_one_that_a_provider_may_have(vendor: Vendor) -> None:
    if vendor.name in ADDRESS_GIVEN:
        return
    assert provider_address(vendor.base_url, vendor.dialect) == vendor.base_url
    parts = urlsplit(vendor.base_url)
    at_home = vendor.name in AT_HOME
    assert (parts.scheme, parts.hostname == "127.0.0.1") == ("http" if at_home else "https", at_home)


@EVERY
def test_every_profile_speaks_of_efforts_in_their_order(vendor: Vendor) -> None:
    for each in (vendor.profile, *(family.profile for family in vendor.families)):
        assert list(each.efforts) == sorted(each.efforts, key=EFFORTS.index)
        assert each.max_tokens_field in ("max_tokens", "max_completion_tokens")
        assert each.reasoning_field in ("reasoning_content", "reasoning")


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("anthropic", ("x-api-key", "secret")),
        ("openai", ("authorization", "Bearer secret")),
        ("azure", ("api-key", "secret")),
        ("zai-anthropic", ("authorization", "Bearer secret")),
    ],
)
def test_the_key_goes_in_the_header_of_the_vendor(preset: str, expected: tuple[str, str]) -> None:
    assert VENDORS[preset].credential("secret") == expected


@EVERY
def test_without_a_key_no_header_is_sent(vendor: Vendor) -> None:
    assert vendor.credential("") is None


@pytest.mark.parametrize(
    ("preset", "dialect", "base_url", "name"),
    [
        ("groq", "openai", "https://proxy.example.com/v1", "groq"),
        ("azure", "openai", "https://mine.openai.azure.com/openai/v1", "azure"),
        ("", "openai", "https://api.groq.com/openai/v1", "groq"),
        ("", "openai", "https://api.deepseek.com", "deepseek"),
        ("", "anthropic", "https://api.deepseek.com/anthropic", "deepseek-anthropic"),
        ("", "openai", "https://api.z.ai/api/coding/paas/v4", "zai"),
        ("", "openai", "https://llm.example.com/v1", ""),
        ("", "openai", "http://127.0.0.1:8000/v1", ""),
        ("", "openai", "https://api.anthropic.com/v1", ""),
        ("", "anthropic", "https://claude.example.com", "anthropic"),
        ("", "simulator", "", ""),
    ],
)
def test_a_vendor_is_known_by_its_preset_then_by_its_host(
    preset: str, dialect: str, base_url: str, name: str
) -> None:
    vendor = vendor_of(preset, dialect, base_url)
    assert (vendor.name, vendor.dialect) == (name, dialect)


def elsewhere(model: Profile) -> Profile:
    """OpenAI's model at a host that is not OpenAI."""
    return replace(model, pdf=False, user_field=False)


def with_effort(host: Profile, *efforts: str) -> Profile:
    return replace(host, efforts=efforts or LOW_TO_HIGH)


def mistral_at(host: Profile) -> Profile:
    return replace(host, call_id_length=9, turn_order=TurnOrder.ASSISTANT_AFTER_TOOL)


THINKS_AT_UNKNOWN = replace(
    profile.GENERIC, reasoning_history=ReasoningHistory.BESIDE_TOOL_CALLS, missing_reasoning=" "
)

MODELS: dict[str, list[tuple[str, Profile]]] = {
    "openai": [
        ("gpt-4o", profile.OPENAI),
        ("gpt-4o-mini-2024-07-18", profile.OPENAI),
        ("gpt-4.1", profile.OPENAI),
        ("o1", profile.O_SERIES),
        ("o3-2025-04-16", profile.O_SERIES),
        ("o4-mini", profile.O_SERIES),
        ("codex-mini-latest", profile.O_SERIES),
        ("gpt-5", profile.OPENAI_REASONING),
        ("gpt-5-nano-2025-08-07", profile.OPENAI_REASONING),
        ("gpt-5-chat-latest", profile.OPENAI),
        ("gpt-5-codex", profile.O_SERIES),
        ("gpt-5.1", profile.GPT_5_1),
        ("gpt-5.1-2025-11-13", profile.GPT_5_1),
        ("gpt-5.1-chat-latest", profile.FIXED_EFFORT),
        ("gpt-5.1-codex-mini", profile.O_SERIES),
        ("gpt-5.1-codex-max", profile.CODEX),
        ("gpt-5.2", profile.GPT_5_2),
        ("gpt-5.3-codex", profile.CODEX),
        ("gpt-5.4-mini", profile.GPT_5_2),
        ("gpt-5.5", profile.GPT_5_5),
        ("gpt-5.6-terra", profile.GPT_5_5),
        ("gpt-6-astra", profile.GPT_6),
    ],
    "azure": [
        ("gpt-4.1", elsewhere(profile.OPENAI)),
        ("gpt-5", elsewhere(profile.OPENAI_REASONING)),
        ("my-deployment", elsewhere(profile.OPENAI)),
    ],
    "deepseek": [
        ("deepseek-v4-pro", profile.DEEPSEEK_V4),
        ("deepseek-flash", profile.DEEPSEEK_V4),
        ("deepseek-reasoner", profile.DEEPSEEK),
    ],
    "groq": [
        ("openai/gpt-oss-20b", with_effort(profile.GROQ)),
        ("qwen/qwen3-32b", profile.GROQ_QWEN),
        ("llama-3.3-70b-versatile", profile.GROQ),
    ],
    "together": [
        ("openai/gpt-oss-120b", with_effort(profile.TOGETHER)),
        ("mistralai/Mistral-Small-24B-Instruct-2501", mistral_at(profile.TOGETHER)),
        ("deepseek-ai/DeepSeek-V4-Pro", profile.TOGETHER),
    ],
    "fireworks": [
        ("accounts/fireworks/models/gpt-oss-120b", with_effort(profile.FIREWORKS)),
        ("accounts/fireworks/models/deepseek-v4-pro", with_effort(profile.FIREWORKS, "none", "high")),
        ("accounts/fireworks/models/qwen3p7-plus", profile.FIREWORKS),
    ],
    "mistral": [
        ("mistral-large-latest", profile.MISTRAL),
        ("devstral-medium-latest", profile.MISTRAL),
        ("mistral-small-2501", profile.MISTRAL),
        ("mistral-small-latest", profile.MISTRAL_REASONING),
        ("mistral-small-2603", profile.MISTRAL_REASONING),
        ("mistral-medium-3-5", profile.MISTRAL_REASONING),
    ],
    "openrouter": [
        ("anthropic/claude-sonnet-4.5", profile.OPENROUTER),
        ("openai/gpt-5.2", profile.OPENROUTER),
        (
            "google/gemini-3-pro-preview",
            replace(profile.OPENROUTER, call_signature="skip_thought_signature_validator"),
        ),
    ],
    "xai": [
        ("grok-4", profile.XAI),
        ("grok-4.20-reasoning", profile.XAI),
        ("grok-code-fast-1", profile.XAI),
        ("grok-3-mini", with_effort(profile.XAI, "low", "high")),
        ("grok-4.3", with_effort(profile.XAI, "none", *LOW_TO_HIGH)),
        ("grok-4.5", with_effort(profile.XAI)),
    ],
    "gemini": [
        ("gemini-2.0-flash", profile.GEMINI_PLAIN),
        ("gemini-2.5-flash", profile.GEMINI),
        ("models/gemini-2.5-flash-lite", profile.GEMINI),
        ("gemini-2.5-pro", profile.GEMINI_PRO),
        ("gemini-3-flash-preview", profile.GEMINI_3),
        ("gemini-3.5-flash", profile.GEMINI_3),
        ("gemini-flash-latest", profile.GEMINI_3),
        ("gemini-3-pro-preview", profile.GEMINI_3_PRO),
        ("gemini-3.1-pro-preview", profile.GEMINI_3_PRO),
        ("gemma-3-27b-it", profile.GEMINI_PLAIN),
    ],
    "cerebras": [
        ("gpt-oss-120b", with_effort(profile.CEREBRAS)),
        ("zai-glm-4.7", with_effort(profile.CEREBRAS, "none")),
        ("llama-3.3-70b", profile.CEREBRAS),
    ],
    "moonshot": [
        ("moonshot-v1-128k", profile.MOONSHOT),
        ("kimi-k2-0905-preview", profile.MOONSHOT),
        ("kimi-k2.6", profile.KIMI_HYBRID),
        ("kimi-k2-thinking", profile.KIMI_THINKING),
        ("kimi-k2.7-code", profile.KIMI_THINKING),
        ("kimi-k3", profile.KIMI_K3),
    ],
    "zai": [
        ("glm-4-32b-0414-128k", profile.ZAI),
        ("glm-4.5-air", profile.GLM_HYBRID),
        ("glm-4.6v", profile.ZAI),
        ("glm-5", profile.GLM_HYBRID),
        ("glm-5.1", profile.GLM_HYBRID),
        ("glm-5.2", profile.GLM_5_2),
        ("glm-5.3", profile.GLM_5_3),
    ],
    "minimax": [("MiniMax-M2.7", profile.MINIMAX), ("MiniMax-M3", profile.MINIMAX_HYBRID)],
    "qwen": [
        ("qwen3-coder-plus", profile.QWEN),
        ("qwen-plus", profile.QWEN_HYBRID),
        ("qwen3.7-plus", profile.QWEN_HYBRID),
        ("qwen-max", profile.QWEN),
    ],
    "perplexity": [
        ("sonar-pro", profile.PERPLEXITY),
        ("sonar-reasoning-pro", with_effort(profile.PERPLEXITY, "minimal", *LOW_TO_HIGH)),
    ],
    "nvidia": [
        ("nvidia/nemotron-3-super-120b-a12b", profile.NVIDIA),
        ("mistralai/mistral-small-4-119b-2603", mistral_at(profile.NVIDIA)),
    ],
    "huggingface": [
        ("openai/gpt-oss-120b:groq", with_effort(profile.HUGGINGFACE)),
        ("meta-llama/Llama-3.3-70B-Instruct", profile.HUGGINGFACE),
    ],
    "ollama": [
        ("gpt-oss:20b", with_effort(profile.OLLAMA)),
        ("llama3.2", profile.OLLAMA),
        ("mistral-nemo:12b", mistral_at(profile.OLLAMA)),
    ],
    "vllm": [
        ("Qwen/Qwen3-32B", profile.VLLM),
        ("mistralai/Devstral-Small-2-24B-Instruct-2512", mistral_at(profile.VLLM)),
    ],
    "lmstudio": [("qwen/qwen3-14b", profile.LMSTUDIO), ("openai/gpt-oss-20b", with_effort(profile.LMSTUDIO))],
    "llamacpp": [("Qwen3.6-35B-A3B", profile.LLAMACPP)],
    "sglang": [("deepseek-ai/DeepSeek-V3", profile.LOCAL)],
    "litellm": [("claude-at-bedrock", profile.GENERIC), ("gpt-5.1", elsewhere(profile.GPT_5_1))],
    "": [
        ("llama-3.3-70b", profile.GENERIC),
        ("gpt-oss-120b", profile.GENERIC),
        ("gpt-4o", profile.GENERIC),
        ("o3-mini", elsewhere(profile.O_SERIES)),
        ("openai/gpt-5", elsewhere(profile.OPENAI_REASONING)),
        ("deepseek-r1", profile.GENERIC),
        ("deepseek-v3.2", THINKS_AT_UNKNOWN),
        ("kimi-k2-thinking", THINKS_AT_UNKNOWN),
        ("mixtral-8x7b-instruct", mistral_at(profile.GENERIC)),
    ],
}


@pytest.mark.parametrize(
    ("preset", "model", "expected"),
    [(preset, *row) for preset, rows in MODELS.items() for row in rows],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_models_habits_are_known_by_its_name(preset: str, model: str, expected: Any) -> None:
    assert vendor_of(preset, "openai", "").profile_of(model) == expected


def test_every_vendor_of_the_openai_dialect_has_models_named_here() -> None:
    assert {vendor.name for vendor in VENDORS.values() if vendor.dialect == "openai"} | {""} == set(MODELS)
