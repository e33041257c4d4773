"""How the simulator counts: one token is four bytes of UTF-8, rounded up for each piece of text.

The same rule holds for prompts, for `count_tokens` and for what is produced, so that the figures of an answer
can be recomputed by hand. An image counts 1,500 and a PDF (or a file known only by reference) 3,000, since
their size in bytes says nothing; a message counts 3 more and a request 4 more for the frame around them.
"""

from __future__ import annotations

from gateway.simulator.request import Block, Request, Source, Tool

BYTES_PER_TOKEN = 4
OF_AN_IMAGE = 1_500
OF_A_FILE = 3_000
OF_A_MESSAGE = 3
OF_A_REQUEST = 4


def of_text(text: str) -> int:
    """Tokens of a piece of text; 0 for none."""
    return _of_bytes(len(text) if text.isascii() else len(text.encode(errors="surrogatepass")))


def first(text: str, count: int) -> str:
    """The longest beginning of `text` that is `count` tokens or fewer, never half a character."""
    return text.encode()[: count * BYTES_PER_TOKEN].decode(errors="ignore")


def of_prompt(asked: Request) -> int:
    """Input tokens of a whole request: system, tools, messages."""
    system = asked.system or []
    total = OF_A_REQUEST + (of_text(system) if isinstance(system, str) else _of_blocks(system))
    total += sum(_of_tool(tool) for tool in asked.tools or [])
    for message in asked.messages:
        content = message.content
        total += OF_A_MESSAGE + (of_text(content) if isinstance(content, str) else _of_blocks(content))
    return total


def _of_blocks(blocks: list[Block]) -> int:
    return sum(_of_block(block) for block in blocks)


def _of_block(block: Block) -> int:
    if block.type == "image":
        return OF_AN_IMAGE
    address = block.source if isinstance(block.source, str) else None
    said = (block.text, block.thinking, block.data, block.name, address)
    total = sum(of_text(text) for text in said if text) + _of_bytes(len(bytes(block.input)))
    if block.type == "document" and isinstance(block.source, Source):
        total += of_text(block.source.data) if block.source.type == "text" else OF_A_FILE
    match block.content:
        case None:
            return total
        case str() as text:
            return total + of_text(text)
        case Block() as inner:
            return total + _of_block(inner)
        case blocks:
            return total + _of_blocks(blocks)


def _of_tool(tool: Tool) -> int:
    named = sum(of_text(text) for text in (tool.name, tool.type, tool.description) if text)
    return named + _of_bytes(len(bytes(tool.input_schema)))


def _of_bytes(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)
