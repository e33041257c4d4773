"""`DATA_DIR/quickstart.env`: what a newcomer needs, in KEY=value lines that only the owner can read."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from pathlib import Path

FILE_NAME = "quickstart.env"


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """The six values; the secrets among them are stored nowhere else readably."""

    base_url: str
    api_key: str = dataclasses.field(repr=False)
    admin_key: str = dataclasses.field(repr=False)
    admin_email: str
    admin_password: str = dataclasses.field(repr=False)

    def lines(self) -> dict[str, str]:
        return {
            **addresses(self.base_url),
            "ANTHROPIC_API_KEY": self.api_key,
            "GATEWAY_ADMIN_KEY": self.admin_key,
            "GATEWAY_ADMIN_EMAIL": self.admin_email,
            "GATEWAY_ADMIN_PASSWORD": self.admin_password,
        }


ORDER = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY",
    "GATEWAY_ADMIN_KEY",
    "GATEWAY_DASHBOARD_URL",
    "GATEWAY_ADMIN_EMAIL",
    "GATEWAY_ADMIN_PASSWORD",
)


def addresses(base_url: str) -> dict[str, str]:
    """The lines that follow HOST, PORT and GATEWAY_PUBLIC_URL."""
    return {"ANTHROPIC_BASE_URL": base_url, "GATEWAY_DASHBOARD_URL": f"{base_url}/"}


def write(folder: Path, quickstart: Quickstart) -> None:
    values = quickstart.lines()
    _replace(folder / FILE_NAME, "".join(f"{name}={values[name]}\n" for name in ORDER))


def read(folder: Path) -> dict[str, str] | None:
    """The lines by name; None where there is no such file."""
    try:
        text = (folder / FILE_NAME).read_text()
    except FileNotFoundError:
        return None
    return dict(line.partition("=")[::2] for line in text.splitlines())


def update(folder: Path, changed: dict[str, str]) -> None:
    """Sets these lines and leaves every other line as it is."""
    text = (folder / FILE_NAME).read_text()
    lines = [_updated(line, changed) for line in text.splitlines(keepends=True)]
    if "".join(lines) != text:
        _replace(folder / FILE_NAME, "".join(lines))


def _updated(line: str, changed: dict[str, str]) -> str:
    name = line.partition("=")[0]
    return f"{name}={changed[name]}\n" if name in changed else line


def _replace(path: Path, text: str) -> None:
    """Readers see the old file or the new one, and never one that others may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
