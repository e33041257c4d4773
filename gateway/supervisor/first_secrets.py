"""The secrets of an installation, made at its first run in `DATA_DIR/secrets.env`."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.supervisor.env_file import read_env, write_env
from gateway.supervisor.problem import StartProblem


def _random_text() -> str:
    return secrets.token_urlsafe(48)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


MAKERS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": _random_text,
    "GATEWAY_KEY_PEPPER": _random_text,
    "GATEWAY_DATA_ENCRYPTION_KEYS": _fernet_key,
}


def complete_secrets(data_dir: Path, *, environment: Mapping[str, str], database_exists: bool) -> None:
    """Make what neither the environment nor `secrets.env` holds.

    With a database there already, new ones would be wrong ones: its keys could not be verified, its
    providers' keys not be decrypted.
    """
    path = data_dir / "secrets.env"
    kept = read_env(path) if path.exists() else {}
    missing = [name for name in MAKERS if not environment.get(name) and name not in kept]
    if path.exists():
        path.chmod(0o600)
    if not missing:
        return
    if database_exists:
        raise StartProblem(
            f"{', '.join(missing)} must be those that the database of {data_dir} was made with, but {path} "
            f"lacks them: restore that file, or set them in the environment, or choose another DATA_DIR."
        )
    made = {name: MAKERS[name]() for name in missing}
    write_env(
        path, kept | made, comment="Made at the first run. Keep it with your backups, and keep it secret."
    )
