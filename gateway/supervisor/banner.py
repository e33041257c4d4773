"""What a person sees when the gateway is up: where it is, how to get in, a first request to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

SHOWN = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY",
    "GATEWAY_ADMIN_KEY",
    "GATEWAY_DASHBOARD_URL",
    "GATEWAY_ADMIN_EMAIL",
    "GATEWAY_ADMIN_PASSWORD",
)
MODEL = "claude-sonnet-5-5"


def show_banner(console: Console, values: Mapping[str, str], *, data_dir: Path, notes: Iterable[str]) -> None:
    """Lines are never wrapped, so that each can be copied whole."""
    base_url = values.get("ANTHROPIC_BASE_URL", "")
    _line(console, "")
    _line(console, f"The gateway is up at {base_url}", "bold green")
    _line(console, "")
    for name in SHOWN:
        if name in values:
            _line(console, f"  {name}={values[name]}")
    if "ANTHROPIC_API_KEY" in values:
        _line(console, "\nA first request:\n", "bold")
        _line(console, first_request(base_url, values["ANTHROPIC_API_KEY"]))
    _line(console, f"\nDashboard: {values.get('GATEWAY_DASHBOARD_URL', base_url)}")
    _line(console, f"Data: {data_dir} (these values: quickstart.env, logs: logs/)")
    for note in notes:
        _line(console, note)
    _line(console, "Ctrl-C ends it; the data stays.\n")


def first_request(base_url: str, api_key: str) -> str:
    body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    headers = (f"x-api-key: {api_key}", "anthropic-version: 2023-06-01", "content-type: application/json")
    options = [part for header in headers for part in ("-H", header)]
    return shlex.join(["curl", "-sS", f"{base_url}/v1/messages", *options, "-d", json.dumps(body)])


def _line(console: Console, line: str, style: str = "") -> None:
    console.print(Text(line, style=style), soft_wrap=True)
