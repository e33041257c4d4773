"""What a PDF costs: PURE and rough, since every page is read as text and as an image.

Anthropic publishes 1,500 to 3,000 tokens a page for the text alone, and about 7,000 for a PDF of three pages
with its images; 2,300 a page is taken here. Pages are counted by their markers; a file that hides them in
compressed objects is taken for one page per 50 KB.
"""

from __future__ import annotations

import base64
import binascii
import re

PAGE_TOKENS = 2_300
UNSEEN_DOCUMENT_TOKENS = 5 * PAGE_TOKENS  # a document behind an address or a file id, which is not fetched
BYTES_PER_PAGE = 50_000
_MOST_PAGES = 600  # more than a provider accepts
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")


def pdf_tokens(data: str) -> int:
    """Tokens of a PDF given as base64; judged by its length where it cannot be decoded."""
    try:
        content = base64.b64decode(data)
    except (binascii.Error, ValueError):
        content = b""
    pages = len(_PAGE.findall(content)) or len(data) * 3 // 4 // BYTES_PER_PAGE
    return PAGE_TOKENS * max(1, min(_MOST_PAGES, pages))
