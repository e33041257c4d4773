"""The page Limits: every one that can block a request, and why one was blocked."""
