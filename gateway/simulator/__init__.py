"""The built-in provider: answers like Anthropic's Messages API without a key, a network or a model.

`answer` takes the body of a POST /v1/messages and gives back what a provider would send; `count_tokens`
counts a prompt by the same rule that `usage` is counted by. Read `provider.py` first.

    provider      the door: body in, status, headers and chunks out
    request       the body as typed structs
    rules         what a provider refuses, in its words
    composition   what is said: thinking, text, tool calls; and why it stops
    instance      a value that satisfies a JSON Schema
    stream        a finished message as server-sent events
    tokens        the one way in which tokens are counted
"""

from gateway.simulator.provider import SimulatedReply, answer, count_tokens

__all__ = ["SimulatedReply", "answer", "count_tokens"]
