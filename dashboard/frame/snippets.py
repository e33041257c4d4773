"""The first request in several languages: files of `examples/`, which tests run, with this gateway's own address."""

from __future__ import annotations

import dataclasses
from functools import cache

from django.conf import settings

from gateway.models import Model
from gateway.models.catalog import Origin

FOLDER = settings.BASE_DIR / "examples"
EXAMPLE_ADDRESS = "http://127.0.0.1:8000"
EXAMPLE_MODEL = "claude-sonnet-5-5"
EXAMPLE_KEY = "YOUR_API_KEY"


@dataclasses.dataclass(frozen=True)
class Snippet:
    """`setup` is typed once before; `code` is the first request."""

    key: str
    label: str
    file: str
    language: str
    setup: str = ""

    @property
    def code(self) -> str:
        return _localised(self.file)

    def code_with(self, secret: str) -> str:
        """As `code`, ready to run."""
        return self.code.replace(EXAMPLE_KEY, secret)


SNIPPETS = (
    Snippet("python", "Python", "quickstart.py", "python", setup="pip install anthropic"),
    Snippet("typescript", "TypeScript", "quickstart.ts", "typescript", setup="npm install @anthropic-ai/sdk"),
    Snippet("curl", "curl", "quickstart.sh", "shell"),
    Snippet(
        "claude-code",
        "Claude Code",
        "claude-code.sh",
        "shell",
        setup="npm install -g @anthropic-ai/claude-code",
    ),
    Snippet("env", "env file", "quickstart.env", "shell"),
)
BATCH = Snippet("batch", "Python", "batch.py", "python")
CLAUDE_CODE_SETTINGS = Snippet("settings", "~/.claude/settings.json", "claude-code-settings.json", "json")


def snippet_of(key: str) -> Snippet:
    """The snippet of that tab; anything else is the first."""
    return next((one for one in SNIPPETS if one.key == key), SNIPPETS[0])


def _localised(file: str) -> str:
    text = _text(file).replace(EXAMPLE_ADDRESS, settings.CONFIGURATION.base_url)
    return text.replace(EXAMPLE_MODEL, _model()) if EXAMPLE_MODEL in text else text


@cache
def _text(file: str) -> str:
    return (FOLDER / file).read_text().rstrip()


def _model() -> str:
    """A model that this gateway answers for: the example's own where there is one, else the first by name."""
    served = Model.objects.filter(routes__isnull=False)
    if not settings.CONFIGURATION.simulator:
        served = served.exclude(origin=Origin.SIMULATOR)
    names = list(served.order_by("origin", "name").values_list("name", flat=True).distinct())
    return EXAMPLE_MODEL if EXAMPLE_MODEL in names or not names else names[0]
