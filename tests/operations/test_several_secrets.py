"""Secrets that are being exchanged: several values with commas between, each of them a secret."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from gateway import configuration
from gateway.configuration import Configuration, ConfigurationError

FIRST, SECOND = "first-" + "a" * 40, "second-" + "b" * 40


def configured(monkeypatch: pytest.MonkeyPatch, **values: str) -> Configuration:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return configuration.load()


def test_the_first_is_used_and_all_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = f"{FIRST}, {SECOND}"

    found = configured(monkeypatch, SECRET_KEY=both, GATEWAY_KEY_PEPPER=both)

    assert found.secret_keys == [FIRST, SECOND]
    assert found.peppers == [FIRST.encode(), SECOND.encode()]


def test_each_of_them_is_kept_out_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(2)]

    found = configured(
        monkeypatch, SECRET_KEY=f"{FIRST},{SECOND}", GATEWAY_DATA_ENCRYPTION_KEYS=",".join(keys)
    )

    assert {FIRST, SECOND, *keys} <= set(found.secret_values)


@pytest.mark.parametrize("name", ["SECRET_KEY", "GATEWAY_KEY_PEPPER"])
@pytest.mark.parametrize("value", [f"{FIRST},short", f"{FIRST},", f",{FIRST}", "short"])
def test_each_of_them_must_be_long(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: .*at least 32 characters"):
        configured(monkeypatch, **{name: value})
