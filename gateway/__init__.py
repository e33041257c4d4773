"""A multi-tenant gateway that speaks the Anthropic API. Start reading at `engine/exchange.py`."""

__version__ = "0.1.0"
