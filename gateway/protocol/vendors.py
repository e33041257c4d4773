"""The vendors that a provider may be set up by name (`preset`), as rows: dialect, address, credential header, quirks.

A vendor is an address and a few habits, never a branch in code: adding one is adding a row here and a transcript
in the tests. What differs between the models of a vendor stands in `families`, by the model's name there.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from gateway.protocol.openai import profile
from gateway.protocol.openai.profile import LOW_TO_HIGH, Profile, ReasoningHistory, TurnOrder


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose name (without a `vendor/` in front) matches `names` from its beginning."""

    names: re.Pattern[str]
    profile: Profile


@dataclass(frozen=True, slots=True)
class Vendor:
    """`base_url` is empty where every customer has an address of its own. `bearer`: the key goes after `Bearer`."""

    name: str
    dialect: str
    base_url: str = ""
    key_header: str = "authorization"
    bearer: bool = True
    profile: Profile = profile.DEFAULT
    families: tuple[Family, ...] = ()

    def profile_of(self, model: str) -> Profile:
        """How to write to `model`, as its provider calls it; the first family that has it counts."""
        name = model.rpartition("/")[2].lower()
        return next((each.profile for each in self.families if each.names.match(name)), self.profile)

    def credential(self, api_key: str) -> tuple[str, str] | None:
        """Name and value of the header that carries the key; None without one, which engines at home need not."""
        if not api_key:
            return None
        return self.key_header, f"Bearer {api_key}" if self.bearer else api_key


def _family(names: str, its_profile: Profile) -> Family:
    return Family(re.compile(names), its_profile)


def _openai_models(*, pdf: bool, user_field: bool) -> tuple[Family, ...]:
    """OpenAI's own models, wherever they are; https://developers.openai.com/api/docs/guides/reasoning"""
    rows = (
        (r"o\d(-|$)|codex", profile.O_SERIES),
        (r"gpt-5-chat", profile.OPENAI),
        (r"gpt-5\.\d-chat", profile.FIXED_EFFORT),
        (r"gpt-5\.1-codex-max|gpt-5\.[2-9]-codex", profile.CODEX),
        (r"gpt-5(\.1)?-codex", profile.O_SERIES),
        (r"gpt-5\.1", profile.GPT_5_1),
        (r"gpt-5\.[2-4]", profile.GPT_5_2),
        (r"gpt-5\.", profile.GPT_5_5),
        (r"gpt-5", profile.OPENAI_REASONING),
        (r"gpt-[6-9]", profile.GPT_6),
    )
    return tuple(
        _family(names, replace(model, pdf=pdf, user_field=user_field and model.user_field))
        for names, model in rows
    )


def _gpt_oss(host: Profile) -> Family:
    return _family(r"gpt-oss", replace(host, efforts=LOW_TO_HIGH))


def _mistral_weights(host: Profile) -> Family:
    """Their template refuses other call ids and another order, whoever runs it."""
    return _family(
        r"(open-)?(mistral|mixtral|ministral|magistral|devstral|codestral|pixtral)",
        replace(host, call_id_length=9, turn_order=TurnOrder.ASSISTANT_AFTER_TOOL),
    )


def _needing_their_reasoning(host: Profile) -> Family:
    """DeepSeek's and Moonshot's thinking models refuse calls of theirs that come back without reasoning."""
    return _family(
        r"deepseek-(reasoner|v3\.[1-9]|v[4-9])|kimi-(k2\.[5-9]|k2-thinking|k[3-9])",
        replace(host, reasoning_history=ReasoningHistory.BESIDE_TOOL_CALLS, missing_reasoning=" "),
    )


_UNKNOWN_HOST = (
    *_openai_models(pdf=False, user_field=False),
    _needing_their_reasoning(profile.GENERIC),
    _mistral_weights(profile.GENERIC),
)
_DEEPSEEK_MODELS = (_family(r"deepseek-(chat|reasoner)", profile.DEEPSEEK),)
_FIREWORKS_MODELS = (
    _gpt_oss(profile.FIREWORKS),
    _family(r"kimi-k2", replace(profile.FIREWORKS, efforts=LOW_TO_HIGH)),
    _family(r"deepseek-v4", replace(profile.FIREWORKS, efforts=("none", "high"))),
    _mistral_weights(profile.FIREWORKS),
)
_MISTRAL_MODELS = (
    _family(
        r"mistral-(small|medium)-latest|mistral-small-(4|2603)|mistral-medium-3[-.]5",
        profile.MISTRAL_REASONING,
    ),
)
_OPENROUTER_MODELS = (
    _family(r"gemini-[3-9]", replace(profile.OPENROUTER, call_signature=profile.GEMINI_3.call_signature)),
)
_XAI_MODELS = (
    _family(r"grok-3-mini", replace(profile.XAI, efforts=("low", "high"))),
    _family(r"grok-4\.3(\D|$)", replace(profile.XAI, efforts=("none", *LOW_TO_HIGH))),
    _family(r"grok-4\.[5-9](\D|$)", replace(profile.XAI, efforts=LOW_TO_HIGH)),
)
_GEMINI_MODELS = (
    _family(r"gemini-2\.5-pro", profile.GEMINI_PRO),
    _family(r"gemini-2\.5", profile.GEMINI),
    _family(r"gemini-([3-9].*-)?pro", profile.GEMINI_3_PRO),
    _family(r"gemini-([3-9]|flash)", profile.GEMINI_3),
)
_CEREBRAS_MODELS = (
    _gpt_oss(profile.CEREBRAS),
    _family(r"zai-glm", replace(profile.CEREBRAS, efforts=("none",))),
)
_MOONSHOT_MODELS = (
    _family(r"kimi-k2\.[56]", profile.KIMI_HYBRID),
    _family(r"kimi-(k2\.\d|k2-thinking|thinking)", profile.KIMI_THINKING),
    _family(r"kimi-k[3-9]", profile.KIMI_K3),
)
_ZAI_MODELS = (
    _family(r"glm-4\.\dv", profile.ZAI),
    _family(r"glm-(4\.[5-9]|5(\.[01])?(-|$))", profile.GLM_HYBRID),
    _family(r"glm-5\.2", profile.GLM_5_2),
    _family(r"glm-(5\.[3-9]|[6-9])", profile.GLM_5_3),
)
_MINIMAX_MODELS = (_family(r"minimax-m[3-9]", profile.MINIMAX_HYBRID),)
_QWEN_MODELS = (_family(r"qwen3\.\d|qwen[4-9]|qwen-(plus|flash|turbo)", profile.QWEN_HYBRID),)
_PERPLEXITY_MODELS = (
    _family(r"sonar-(reasoning|deep)", replace(profile.PERPLEXITY, efforts=("minimal", *LOW_TO_HIGH))),
)

_ROWS = (
    Vendor("anthropic", "anthropic", "https://api.anthropic.com", key_header="x-api-key", bearer=False),
    Vendor(
        "openai",
        "openai",
        "https://api.openai.com/v1",
        profile=profile.OPENAI,
        families=_openai_models(pdf=True, user_field=True),
    ),
    Vendor(
        "azure",
        "openai",
        key_header="api-key",
        bearer=False,
        profile=replace(profile.OPENAI, pdf=False, user_field=False),
        families=_openai_models(pdf=False, user_field=False),
    ),
    Vendor(
        "deepseek",
        "openai",
        "https://api.deepseek.com/v1",
        profile=profile.DEEPSEEK_V4,
        families=_DEEPSEEK_MODELS,
    ),
    Vendor(
        "deepseek-anthropic",
        "anthropic",
        "https://api.deepseek.com/anthropic",
        key_header="x-api-key",
        bearer=False,
    ),
    Vendor(
        "groq",
        "openai",
        "https://api.groq.com/openai/v1",
        profile=profile.GROQ,
        families=(_gpt_oss(profile.GROQ), _family(r"qwen3", profile.GROQ_QWEN)),
    ),
    Vendor(
        "together",
        "openai",
        "https://api.together.ai/v1",
        profile=profile.TOGETHER,
        families=(_gpt_oss(profile.TOGETHER), _mistral_weights(profile.TOGETHER)),
    ),
    Vendor(
        "fireworks",
        "openai",
        "https://api.fireworks.ai/inference/v1",
        profile=profile.FIREWORKS,
        families=_FIREWORKS_MODELS,
    ),
    Vendor(
        "mistral", "openai", "https://api.mistral.ai/v1", profile=profile.MISTRAL, families=_MISTRAL_MODELS
    ),
    Vendor(
        "openrouter",
        "openai",
        "https://openrouter.ai/api/v1",
        profile=profile.OPENROUTER,
        families=_OPENROUTER_MODELS,
    ),
    Vendor("xai", "openai", "https://api.x.ai/v1", profile=profile.XAI, families=_XAI_MODELS),
    Vendor(
        "gemini",
        "openai",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        profile=profile.GEMINI_PLAIN,
        families=_GEMINI_MODELS,
    ),
    Vendor(
        "cerebras",
        "openai",
        "https://api.cerebras.ai/v1",
        profile=profile.CEREBRAS,
        families=_CEREBRAS_MODELS,
    ),
    Vendor(
        "moonshot",
        "openai",
        "https://api.moonshot.ai/v1",
        profile=profile.MOONSHOT,
        families=_MOONSHOT_MODELS,
    ),
    Vendor("moonshot-anthropic", "anthropic", "https://api.moonshot.ai/anthropic"),
    Vendor("zai", "openai", "https://api.z.ai/api/paas/v4", profile=profile.ZAI, families=_ZAI_MODELS),
    Vendor("zai-anthropic", "anthropic", "https://api.z.ai/api/anthropic"),
    Vendor(
        "minimax", "openai", "https://api.minimax.io/v1", profile=profile.MINIMAX, families=_MINIMAX_MODELS
    ),
    Vendor("minimax-anthropic", "anthropic", "https://api.minimax.io/anthropic"),
    Vendor(
        "qwen",
        "openai",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        profile=profile.QWEN,
        families=_QWEN_MODELS,
    ),
    Vendor(
        "perplexity",
        "openai",
        "https://api.perplexity.ai",
        profile=profile.PERPLEXITY,
        families=_PERPLEXITY_MODELS,
    ),
    Vendor(
        "nvidia",
        "openai",
        "https://integrate.api.nvidia.com/v1",
        profile=profile.NVIDIA,
        families=(_gpt_oss(profile.NVIDIA), _mistral_weights(profile.NVIDIA)),
    ),
    Vendor(
        "huggingface",
        "openai",
        "https://router.huggingface.co/v1",
        profile=profile.HUGGINGFACE,
        families=(_gpt_oss(profile.HUGGINGFACE), _mistral_weights(profile.HUGGINGFACE)),
    ),
    Vendor(
        "ollama",
        "openai",
        "http://127.0.0.1:11434/v1",
        profile=profile.OLLAMA,
        families=(_gpt_oss(profile.OLLAMA), _mistral_weights(profile.OLLAMA)),
    ),
    Vendor(
        "vllm",
        "openai",
        "http://127.0.0.1:8000/v1",
        profile=profile.VLLM,
        families=(_mistral_weights(profile.VLLM),),
    ),
    Vendor(
        "lmstudio",
        "openai",
        "http://127.0.0.1:1234/v1",
        profile=profile.LMSTUDIO,
        families=(_gpt_oss(profile.LMSTUDIO), _mistral_weights(profile.LMSTUDIO)),
    ),
    Vendor(
        "llamacpp",
        "openai",
        "http://127.0.0.1:8080/v1",
        profile=profile.LLAMACPP,
        families=(_mistral_weights(profile.LLAMACPP),),
    ),
    Vendor(
        "sglang",
        "openai",
        "http://127.0.0.1:30000/v1",
        profile=profile.LOCAL,
        families=(_mistral_weights(profile.LOCAL),),
    ),
    Vendor("litellm", "openai", profile=profile.GENERIC, families=_UNKNOWN_HOST),
)
VENDORS = {vendor.name: vendor for vendor in _ROWS}
_GENERIC = {
    "anthropic": VENDORS["anthropic"],
    "openai": Vendor("", "openai", profile=profile.GENERIC, families=_UNKNOWN_HOST),
    "simulator": Vendor("", "simulator"),
}
_BY_HOST = {
    (vendor.dialect, urlsplit(vendor.base_url).hostname): vendor
    for vendor in _ROWS
    if vendor.base_url.startswith("https:")
}


@functools.lru_cache(maxsize=1024)
def vendor_of(preset: str, dialect: str, base_url: str) -> Vendor:
    """The vendor that an operator named, else the one whose public address it is, else any of that dialect."""
    if preset in VENDORS:
        return VENDORS[preset]
    return _BY_HOST.get((dialect, urlsplit(base_url).hostname), _GENERIC[dialect])
