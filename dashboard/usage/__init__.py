"""The page Usage: tokens, requests and tools of any time."""
