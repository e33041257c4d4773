"""Why a stack cannot start, in one line for the operator."""

from __future__ import annotations


class StartProblem(Exception):
    """What is wrong and what to do about it, as one line."""
