from __future__ import annotations

import uuid

import msgspec
import pytest

from gateway import shards
from gateway.metering import refusal

ACME = uuid.UUID("0198c2f4-7d3e-7a41-9c55-0f6b2f3d8e13")


def of_ada(**changed: object) -> refusal.LimitRefusal:
    of_today = refusal.LimitRefusal(
        request_id="req_01" + "a" * 22,
        at=1_795_000_000_000,
        organization_id=ACME,
        workspace_id="wrkspc_01" + "b" * 22,
        api_key_id="apikey_01" + "c" * 22,
        model="claude-sonnet-4-5",
        endpoint="messages",
        kind="rate_limit",
        scope="organization",
        scope_id=str(ACME),
        pool="all_models",
        limiter="output_tokens_per_minute",
        limit=80_000,
        needed=4_096,
        remaining=-120,
        retry_after_ms=3_162,
    )
    return msgspec.structs.replace(of_today, **changed)


def test_a_refusal_comes_out_of_the_stream_as_it_went_in() -> None:
    for sent in (of_ada(), of_ada(retry_after_ms=None, spend_limit_id="spl_01" + "d" * 22)):
        assert refusal.decode(refusal.encode(sent)) == sent


def test_a_refusal_costs_little_memory() -> None:
    assert len(refusal.encode(of_ada())) < 320


def test_a_refusal_of_an_older_program_is_understood_and_so_is_that_of_a_newer_one() -> None:
    fields = msgspec.json.decode(refusal.encode(of_ada()))
    assert refusal.decode(msgspec.json.encode(fields[:-2])) == of_ada(retry_after_ms=None)
    assert refusal.decode(msgspec.json.encode([*fields, "what comes later"])) == of_ada()


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b"[1,2]", b"null", b"\xff", b'["req_1"]'])
def test_garbage_is_no_refusal(garbage: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        refusal.decode(garbage)


def test_an_organization_has_one_shard_and_each_shard_one_slot_of_a_cluster() -> None:
    assert shards.shard_of(ACME) == ACME.int % 16 == 3
    assert shards.refusals_stream(3) == "gw:{3}:refusals"
    assert shards.usage_stream(3) == "gw:{3}:usage"
    assert {shards.shard_of(uuid.UUID(int=n)) for n in range(100)} == set(range(shards.SHARDS))
