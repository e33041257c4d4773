from __future__ import annotations

import pytest

from admin_api.provider_addresses import provider_address


@pytest.mark.parametrize(
    ("dialect", "text", "stored"),
    [
        ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com"),
        ("anthropic", "https://api.anthropic.com/v1/", "https://api.anthropic.com"),
        ("anthropic", "http://localhost:9000/proxy", "http://localhost:9000/proxy"),
        ("anthropic", "http://10.0.0.1", "http://10.0.0.1"),
        ("anthropic", "http://[::1]:9000", "http://[::1]:9000"),
        ("openai", "https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("openai", "https://example.com/compatible/v4", "https://example.com/compatible/v4"),
        ("openai", "https://api.perplexity.ai/", "https://api.perplexity.ai"),
    ],
)
def test_an_address_is_stored_ready_for_its_endpoint(dialect: str, text: str, stored: str) -> None:
    assert provider_address(text, dialect) == stored


@pytest.mark.parametrize(
    ("dialect", "text", "expected"),
    [
        ("anthropic", "", "expected an http:// or https:// address"),
        ("anthropic", "api.anthropic.com", "expected an http:// or https:// address"),
        ("anthropic", "ftp://example.com", "expected an http:// or https:// address"),
        ("anthropic", "file:///etc/passwd", "expected an http:// or https:// address"),
        ("anthropic", "https://", "expected an http:// or https:// address"),
        ("anthropic", "https://:8080", "expected an http:// or https:// address"),
        ("anthropic", "https://example.com:99999", "expected an http:// or https:// address"),
        ("anthropic", "https://example.com:0", "expected an http:// or https:// address"),
        ("anthropic", "https://exa mple.com", "expected an http:// or https:// address"),
        ("anthropic", "https://example.com\r\nx: y", "expected an http:// or https:// address"),
        ("anthropic", "https://example.com\\@evil.example", "expected an http:// or https:// address"),
        ("anthropic", "https://[::1", "expected an http:// or https:// address"),
        (
            "anthropic",
            "https://u@example.com",
            "expected an address without a user name or password; use api_key",
        ),
        (
            "anthropic",
            "https://:p@example.com",
            "expected an address without a user name or password; use api_key",
        ),
        ("anthropic", "https://example.com?x=1", "expected an address without ? and #"),
        ("anthropic", "https://example.com/#x", "expected an address without ? and #"),
        (
            "anthropic",
            "https://api.anthropic.com/v1/messages",
            "expected the provider's base address, without the endpoint at its end",
        ),
        (
            "openai",
            "https://api.openai.com/v1/chat/completions",
            "expected the provider's base address, without the endpoint at its end",
        ),
        (
            "openai",
            "https://api.openai.com/",
            "expected an address that ends in /v1, such as https://api.openai.com/v1",
        ),
    ],
)
def test_a_wrong_address_is_refused_with_what_is_expected(dialect: str, text: str, expected: str) -> None:
    with pytest.raises(ValueError) as refused:
        provider_address(text, dialect)

    assert str(refused.value) == expected
