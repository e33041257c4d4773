"""Every setting an operator can make, read once from the environment.

Order: process environment, then `DATA_DIR/secrets.env` (made at the first `manage.py up`), then
`DATA_DIR/stack.env` (the addresses of the running embedded stack, so that every `manage.py` command
finds it). All errors are reported at once.
"""

from __future__ import annotations

import ipaddress
import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import DotEnvSettingsSource

from gateway.email_url import password_of, settings_of

PROJECT_DIR = Path(__file__).resolve().parent.parent

SHORTEST_SECRET = 32  # characters

CommaList = Annotated[list[str], NoDecode]


def data_dir_from_environment() -> Path:
    """The folder of this installation: `DATA_DIR`, relative to the working directory, or `.data` in the project."""
    given = os.environ.get("DATA_DIR", "")
    return Path(given).expanduser().resolve() if given else PROJECT_DIR / ".data"


class ConfigurationError(Exception):
    """One line per wrong or missing variable, ready to be shown to the operator."""


class Configuration(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, populate_by_name=True)

    # Secrets. `manage.py up` makes what is missing; everywhere else a missing one is an error. Each may be several
    # with commas between, while one is exchanged: the first is used for what is new, all for what is there.
    secret_key: SecretStr = Field(alias="SECRET_KEY")
    key_pepper: SecretStr = Field(alias="GATEWAY_KEY_PEPPER")
    data_encryption_keys: Annotated[list[SecretStr], NoDecode] = Field(
        alias="GATEWAY_DATA_ENCRYPTION_KEYS", min_length=1
    )

    # Addresses of the stores.
    database_url: str = Field(alias="DATABASE_URL")
    redis_url: str = Field(alias="REDIS_URL")
    broker_url: str = Field("", alias="GATEWAY_BROKER_URL")

    # How the gateway is reached.
    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8000, alias="PORT", ge=1, le=65535)
    public_url: str = Field("", alias="GATEWAY_PUBLIC_URL")
    allowed_hosts: CommaList = Field([], alias="GATEWAY_ALLOWED_HOSTS")
    trusted_proxies: CommaList = Field([], alias="GATEWAY_TRUSTED_PROXIES")

    # Hosts of organizations' identity providers that may be in a private network, and spoken to over http.
    sso_private_hosts: CommaList = Field([], alias="GATEWAY_SSO_PRIVATE_HOSTS")

    # How mail leaves it; without an address none does.
    email_url: SecretStr | None = Field(None, alias="EMAIL_URL")
    email_from: str = Field("", alias="GATEWAY_EMAIL_FROM")

    # How it runs.
    server: Literal["uvicorn", "daphne"] = Field("uvicorn", alias="GATEWAY_SERVER")
    web_processes: int = Field(1, alias="GATEWAY_WEB_PROCESSES", ge=1, le=64)
    drain_seconds: float = Field(600, alias="GATEWAY_DRAIN_SECONDS", ge=0)
    ping_seconds: float = Field(15, alias="GATEWAY_PING_SECONDS", gt=0)
    stream_check_share: float = Field(0, alias="GATEWAY_STREAM_CHECK_SHARE", ge=0, le=1)
    access_log: bool = Field(True, alias="GATEWAY_ACCESS_LOG")
    spool_max_mb: int = Field(1024, alias="GATEWAY_SPOOL_MAX_MB", ge=1)
    batch_concurrency: int = Field(200, alias="GATEWAY_BATCH_CONCURRENCY", ge=1)
    usage_retention_days: int = Field(400, alias="GATEWAY_USAGE_RETENTION_DAYS", ge=0, le=36_500)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="GATEWAY_LOG_LEVEL")
    debug: bool = Field(False, alias="GATEWAY_DEBUG")

    # The built-in provider.
    simulator: bool = Field(False, alias="GATEWAY_SIMULATOR")
    simulator_delay_ms: int = Field(20, alias="GATEWAY_SIMULATOR_DELAY_MS", ge=0, le=60_000)

    # Provider keys that a first run sets up catalogs for, and that `manage.py apply` files may name.
    upstream_anthropic_api_key: SecretStr | None = Field(None, alias="UPSTREAM_ANTHROPIC_API_KEY")
    upstream_openai_api_key: SecretStr | None = Field(None, alias="UPSTREAM_OPENAI_API_KEY")

    data_dir: Path = Field(default_factory=data_dir_from_environment, alias="DATA_DIR")

    @field_validator(
        "allowed_hosts", "trusted_proxies", "sso_private_hosts", "data_encryption_keys", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("secret_key", "key_pepper")
    @classmethod
    def _each_long_enough(cls, value: SecretStr) -> SecretStr:
        if any(len(part) < SHORTEST_SECRET for part in _parts(value)):
            raise ValueError(f"expected at least {SHORTEST_SECRET} characters, of each if there are several")
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _absolute(cls, value: Any) -> Path:
        return Path(value).expanduser().resolve()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("expected an address such as https://gateway.example.com")
        return value.rstrip("/")

    @field_validator("broker_url")
    @classmethod
    def _valkey(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("expected the address of a Valkey, such as redis://HOST:6379/0")
        return value

    @field_validator("email_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            settings_of(value.get_secret_value())
        return value

    @property
    def broker(self) -> str:
        """The address of the Valkey that Celery and Django's cache use."""
        return self.broker_url or self.redis_url

    @cached_property
    def email_settings(self) -> dict[str, object]:
        """Django's; empty where no mail leaves the gateway."""
        return {} if self.email_url is None else settings_of(self.email_url.get_secret_value())

    @cached_property
    def mail_sender(self) -> str:
        """Who mail comes from."""
        return self.email_from or f"Gateway <no-reply@{urlsplit(self.base_url).hostname}>"

    @cached_property
    def base_url(self) -> str:
        """What people put into an SDK's `base_url`, without a trailing slash."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Host names that requests may name: the public one, this machine's, and the configured ones."""
        own = urlsplit(self.base_url).hostname or ""
        own = f"[{own}]" if ":" in own else own
        return tuple(dict.fromkeys([own, "localhost", "127.0.0.1", "[::1]", *self.allowed_hosts]))

    @cached_property
    def proxies(self) -> tuple[str, ...]:
        """Networks whose `x-forwarded-for` is believed."""
        return tuple(self.trusted_proxies)

    @cached_property
    def peppers(self) -> list[bytes]:
        """The key peppers: the first makes digests, all are tried; more than one only during a rotation."""
        return [part.encode() for part in _parts(self.key_pepper)]

    @cached_property
    def secret_keys(self) -> list[str]:
        """The first signs, all are believed."""
        return _parts(self.secret_key)

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def secret_values(self) -> list[str]:
        """What no log line may ever show."""
        given = [
            *self.data_encryption_keys,
            self.upstream_anthropic_api_key,
            self.upstream_openai_api_key,
        ]
        peppers = [pepper.decode() for pepper in self.peppers]
        mail = password_of(self.email_url.get_secret_value()) if self.email_url else ""
        secrets = [secret.get_secret_value() for secret in given if secret]
        return [*self.secret_keys, *secrets, *peppers, *([mail] if mail else [])]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = data_dir_from_environment()
        files = (
            DotEnvSettingsSource(settings_cls, env_file=folder / name)
            for name in ("secrets.env", "stack.env")
        )
        return (init_settings, env_settings, *files)


def load() -> Configuration:
    """Read the configuration or raise `ConfigurationError` with every problem, one per line."""
    try:
        return Configuration()  # type: ignore[call-arg]
    except ValidationError as problem:
        errors = problem.errors(include_input=False, include_url=False)
        lines = [_told(error) for error in errors]
        if any(error["type"] == "missing" for error in errors):
            lines.append(
                "If the gateway runs with another data folder, put DATA_DIR=FOLDER before the command."
            )
        where = f"environment or {data_dir_from_environment()}"
        raise ConfigurationError("\n".join([f"The configuration ({where}) has errors:", *lines])) from None


def _parts(secret: SecretStr) -> list[str]:
    return [part.strip() for part in secret.get_secret_value().split(",")]


def _told(error: Any) -> str:
    """One line of a pydantic error: the variable, and what is wrong with it."""
    name = ".".join(str(part) for part in error["loc"])
    wrong = "is not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    return f"  {name}: {wrong}"
