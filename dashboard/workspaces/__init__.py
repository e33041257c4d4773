"""The page Workspaces: the list, and one with its members, limits, keys and spend."""
