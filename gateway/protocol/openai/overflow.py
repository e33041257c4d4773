"""Context overflow in the words of many vendors, told in the two sentences that agents recover on.

Claude Code compacts the conversation on the first and lowers `max_tokens` on the second; on any other wording
it gives up. Vendors are told apart by nothing: every number is looked for in every wording.
"""

from __future__ import annotations

import re

CODES = frozenset(("context_length_exceeded", "context_window_exceeded", "exceed_context_size_error"))

_OVERFLOW = re.compile(
    r"maximum context length|context (?:length|window|size)|maximum prompt length|prompt is too long"
    r"|too large for model with|input token count|input tokens exceed|exceed context limit"
    r"|`inputs` tokens \+ `max_new_tokens`|reduce the length of the (?:messages|prompt|input)",
    re.IGNORECASE,
)
_SAID_ALREADY = re.compile(r"prompt is too long: \d+ tokens > \d+|exceed context limit: \d+ \+ \d+ > \d+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_LIMIT = _any(
    r"(?:maximum )?context length (?:is|of) (?:only )?(\d+)",
    r"maximum prompt length is (\d+)",
    r"with (\d+) maximum context length",
    r"available context size \((\d+)",
    r"maximum number of (?:input )?tokens allowed \(?(\d+)",
    r"configured limit of (\d+)",
    r"context window (?:of|is) (\d+)",
    r"must be <= (\d+)",
    r"\d tokens > (\d+)",
)
_TOTAL = _any(r"requested (?:about )?(\d+) tokens")
_INPUT = _any(
    r"messages resulted in (\d+)",
    r"prompt contains (\d+)",
    r"request contains (\d+)",
    r"(?:has|passed) (\d+) input tokens",
    r"input token count (?:is )?\(?(\d+)",
    r"request \((\d+) tokens\)",
    r"given: (\d+) `inputs`",
    r"keep the first (\d+) tokens",
    r"too long: (\d+) tokens",
)
_OUTPUT = _any(
    r"(\d+) (?:in|for) the (?:completion|output)",
    r"is too large: (\d+)",
    r"requested (\d+) output tokens",
    r"and (\d+) `max_new_tokens`",
)


def overflow_sentence(message: str, code: str | None) -> str | None:
    """The sentence for an overflow, or None where `message` and `code` tell of something else.

    Where the provider tells no numbers its own words stand after the sentence's beginning.
    """
    if code not in CODES and not _OVERFLOW.search(message):
        return None
    if _SAID_ALREADY.search(message):
        return message
    told = _THOUSANDS.sub("", message)
    limit, total = _number(_LIMIT, told), _number(_TOTAL, told)
    prompt, output = _number(_INPUT, told), _number(_OUTPUT, told)
    if prompt is None and total is not None:
        prompt = total - (output or 0)
    if limit is None or prompt is None:
        return f"prompt is too long: {message}"
    if output is not None and prompt < limit < prompt + output:
        return (
            f"input length and `max_tokens` exceed context limit: {prompt} + {output} > {limit}, "
            "decrease input length or `max_tokens` and try again"
        )
    return f"prompt is too long: {prompt} tokens > {limit} maximum"


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return next(int(digits) for digits in found.groups() if digits) if found else None
