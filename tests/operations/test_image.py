"""What goes into the image, read from Dockerfile and .dockerignore."""

from __future__ import annotations

import ast
import re

from gateway.configuration import PROJECT_DIR

DOCKERFILE = (PROJECT_DIR / "Dockerfile").read_text()
COPIED = {
    source
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    for source in line.split()[:-1]
}


def test_every_copied_file_exists_and_is_let_through_while_all_else_is_ignored() -> None:
    lines = (PROJECT_DIR / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == COPIED
    assert [name for name in COPIED if not (PROJECT_DIR / name).exists()] == []


def test_every_package_that_the_gateway_imports_is_in_the_image() -> None:
    folders = {path.parent.name for path in PROJECT_DIR.glob("*/__init__.py")}
    imported = {
        name.split(".")[0]
        for folder in COPIED
        for file in (PROJECT_DIR / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _names(node)
    }
    assert (imported & folders) - COPIED == set()


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_the_image_installs_locked_packages_by_hash_and_runs_as_an_ordinary_user() -> None:
    assert "--require-hashes -r requirements.txt" in DOCKERFILE
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert stages == ["python:3.11-slim-bookworm"] * 2
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["gateway"]
    requirements = (PROJECT_DIR / "requirements.txt").read_text()
    packages = re.findall(
        r"^[a-z0-9][^\n=]*==[^\n]+(?:\n    --hash=sha256:[0-9a-f]{64}[^\n]*)*", requirements, re.M
    )
    assert packages and [package for package in packages if "--hash=" not in package] == []
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links)", requirements, re.M)


def test_nothing_secret_is_baked_in() -> None:
    variables = " ".join(re.findall(r"^(?:ENV|ARG) (.+)$", DOCKERFILE, re.MULTILINE))
    assert re.findall(r"\w*(?:KEY|SECRET|PASSWORD|PEPPER|TOKEN)\w*", variables) == []
