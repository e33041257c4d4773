"""Offline token counts: by the o200k vocabulary in a process of its own, and a quick guess from bytes."""
