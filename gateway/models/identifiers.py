"""Primary keys of the tables, as callables that migrations can name."""

from gateway.ids import new_id


def user_id() -> str:
    return new_id("user")


def workspace_id() -> str:
    return new_id("wrkspc")


def invite_id() -> str:
    return new_id("invite")


def api_key_id() -> str:
    return new_id("apikey")
