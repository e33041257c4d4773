"""What a limit block says to people: one limit, what the request needed of it, and when it would have fitted."""

from __future__ import annotations

import datetime

from gateway.limit_pools import BATCH, DEFAULT, TOKEN_COUNT
from gateway.metering.refusal import Holder, Kind
from gateway.models import LimitBlock

_WHOSE: dict[Holder, str] = {
    "organization": "the organization's",
    "workspace": "the workspace's",
    "user": "the member's",
    "api_key": "the API key's",
}
# What is counted together; models without a group need no word.
_COUNTED = {"": "", DEFAULT: "", BATCH: " for message batches", TOKEN_COUNT: " for counting tokens"}
_MONEY: tuple[Kind, ...] = ("spend_limit", "credit")


def message_of(block: LimitBlock, group_name: str | None) -> str:
    """`group_name` is how people know the group of models; without one it goes by the name that limits have for it."""
    needed, left = amounts_of(block)
    return f"Refused by {limit_of(block, group_name)}: the request needed {needed}, with {left} left. {_wait(block)}"


def amounts_of(block: LimitBlock) -> tuple[str, str]:
    """What the request needed, and what was left."""
    amount = _dollars if block.kind in _MONEY else _number
    return amount(block.needed), amount(max(0, block.remaining))


def limit_of(block: LimitBlock, group_name: str | None) -> str:
    whose = next((words for holder, words in _WHOSE.items() if holder == block.scope_type), "a")
    if block.kind == "credit":
        return f"{whose} prepaid credit"
    if block.kind == "spend_limit":
        return f"{whose} {block.limiter} spend limit of {_dollars(block.limit_value)}"
    counted = _COUNTED.get(block.pool, f" for {group_name or block.pool}")
    return f"{whose} rate limit of {_number(block.limit_value)} {block.limiter.replace('_', ' ')}{counted}"


def _wait(block: LimitBlock) -> str:
    seconds = block.retry_after_seconds
    if seconds is None:
        return "Waiting could not help."
    return (
        f"It could be sent again at {block.at + datetime.timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} UTC."
    )


def _number(value: int) -> str:
    return f"{value:,}"


def _dollars(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"
