"""The page Quickstart: a first key and a first request."""
