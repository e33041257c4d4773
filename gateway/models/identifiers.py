"""Primary keys of the tables, as callables that migrations can name."""

from gateway.ids import new_id

# Reports know by it, without a look at the keys, what was used in the Playground.
PLAYGROUND_KEY = "playkey"


def user_id() -> str:
    return new_id("user")


def workspace_id() -> str:
    return new_id("wrkspc")


def invite_id() -> str:
    return new_id("invite")


def api_key_id() -> str:
    return new_id("apikey")


def playground_key_id() -> str:
    return new_id(PLAYGROUND_KEY)


def saved_prompt_id() -> str:
    return new_id("prompt")


def service_account_id() -> str:
    return new_id("svac")


def spend_limit_id() -> str:
    return new_id("spl")


def spend_limit_increase_request_id() -> str:
    return new_id("slir")


def operator_key_id() -> str:
    return new_id("opkey")


def credit_entry_id() -> str:
    return new_id("crdt")


def mail_id() -> str:
    return new_id("mail")


def webhook_endpoint_id() -> str:
    return new_id("whe")


def webhook_event_id() -> str:
    return new_id("whevt")


def message_batch_id() -> str:
    return new_id("msgbatch")


def sso_connection_id() -> str:
    return new_id("sso")
