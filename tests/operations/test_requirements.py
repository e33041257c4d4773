"""The locked files: every dependency pinned and hashed, none older than is safe, no address of an index."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from gateway.configuration import PROJECT_DIR

PINNED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
FILES = ("requirements.txt", "requirements-dev.txt")
# Older ones have known holes. An audit cannot be asked where only a mirror of the index is at hand.
SAFE = {"django": "5.2.19", "daphne": "4.2.2", "h11": "0.16.0", "orjson": "3.11.6"}


@pytest.mark.parametrize("name", FILES)
def test_each_package_is_pinned_with_hashes_and_no_address_is_named(name: str) -> None:
    text = (PROJECT_DIR / name).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())

    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--(?:index|extra-index|find-links|trusted)\S*", text) == []


def test_what_the_project_asks_for_is_what_is_locked() -> None:
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
    groups = [line for group in project["dependency-groups"].values() for line in group]

    assert _unmet(project["project"]["dependencies"], "requirements.txt") == []
    assert _unmet([*project["project"]["dependencies"], *groups], "requirements-dev.txt") == []


def test_both_files_agree() -> None:
    run, development = (_locked(name) for name in FILES)

    assert {name: development.get(name) for name in run} == run


def test_no_package_is_older_than_is_safe() -> None:
    locked = _locked("requirements.txt")

    assert {name: locked[name] for name in SAFE if locked[name] < Version(SAFE[name])} == {}


def _unmet(wanted: list[str], file: str) -> list[str]:
    locked = _locked(file)
    requirements = [Requirement(line) for line in wanted]
    return [
        str(requirement)
        for requirement in requirements
        if (version := locked.get(canonicalize_name(requirement.name))) is None
        or version not in requirement.specifier
    ]


def _locked(file: str) -> dict[str, Version]:
    found = PINNED.findall((PROJECT_DIR / file).read_text())
    return {canonicalize_name(name): Version(version) for name, version in found}
