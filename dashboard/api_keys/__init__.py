"""The page API keys: the list, one key, and all that is done with it."""
