"""`.env.example` tells every variable that there is, and no other, with the defaults that hold."""

from __future__ import annotations

import re
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.configuration import PROJECT_DIR, Configuration

LINE = re.compile(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
ONLY_FOR_COMPOSE = {"POSTGRES_PASSWORD"}


def test_every_setting_is_there_once_and_nothing_else() -> None:
    named = [name for _, name, _ in _lines()]

    assert sorted(named) == sorted({*_settings(), *ONLY_FOR_COMPOSE})


def test_the_required_ones_are_open_and_empty() -> None:
    open_lines = {name: value for comment, name, value in _lines() if not comment}

    required = {name for name, setting in _settings().items() if setting.is_required()}
    assert open_lines == dict.fromkeys(required | ONLY_FOR_COMPOSE, "")


def test_the_others_show_their_defaults() -> None:
    shown = {name: value for comment, name, value in _lines() if comment}

    assert shown == {
        name: _spelled(setting) for name, setting in _settings().items() if not setting.is_required()
    }


def test_what_only_compose_reads_is_in_its_file() -> None:
    compose = (PROJECT_DIR / "docker-compose.yml").read_text()
    read = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", compose))

    assert ONLY_FOR_COMPOSE <= read <= {*_settings(), *ONLY_FOR_COMPOSE}


def _lines() -> list[tuple[str, str, str]]:
    return LINE.findall((PROJECT_DIR / ".env.example").read_text())


def _settings() -> dict[str, FieldInfo]:
    return {str(setting.alias): setting for setting in Configuration.model_fields.values()}


def _spelled(setting: FieldInfo) -> str:
    default: Any = setting.default
    if setting.alias == "DATA_DIR":
        return ".data"
    if default is PydanticUndefined or default is None or default == []:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
