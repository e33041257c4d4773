"""docker-compose.yml as Docker Compose would read it, without Docker: variables filled in, services as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from gateway.configuration import PROJECT_DIR

SECRETS = {
    "SECRET_KEY": "s" * 50,
    "GATEWAY_KEY_PEPPER": "p" * 50,
    "GATEWAY_DATA_ENCRYPTION_KEYS": "ZGF0YS1lbmNyeXB0aW9uLWtleS1mb3ItdGVzdHMtMTI=",
    "POSTGRES_PASSWORD": "database-password",
}
_VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<word>[^${}]*))?\}")


class Missing(Exception):
    """A variable that has to be set is not; its text is what Compose would print."""


@dataclass(frozen=True)
class Service:
    name: str
    image: str
    command: list[str]
    health_check: list[str]
    environment: dict[str, str]
    written: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        return "build" in self.written


def services(variables: dict[str, str]) -> dict[str, Service]:
    """Raises `Missing`."""
    file = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())
    return {name: _service(name, _filled(written, variables)) for name, written in file["services"].items()}


def _filled(written: Any, variables: dict[str, str]) -> Any:
    if isinstance(written, dict):
        return {name: _filled(value, variables) for name, value in written.items()}
    if isinstance(written, list):
        return [_filled(value, variables) for value in written]
    return _filled_text(written, variables) if isinstance(written, str) else written


def _filled_text(text: str, variables: dict[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}`, `${NAME:?why}`, innermost first; `$$` is a dollar sign."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"], "")
        if not given and found["kind"] == "?":
            raise Missing(f"{found['name']} {found['word']}")
        return given or (found["word"] or "")

    while _VARIABLE.search(text):
        text = _VARIABLE.sub(value, text)
    return text.replace("$$", "$")


def _service(name: str, written: dict[str, Any]) -> Service:
    test = written.get("healthcheck", {}).get("test", [])
    how, *words = test or ["NONE"]
    return Service(
        name=name,
        image=written["image"],
        command=written.get("command", []),
        health_check=["sh", "-c", words[0]] if how == "CMD-SHELL" else words,
        environment={key: str(value) for key, value in written.get("environment", {}).items()},
        written=written,
    )
