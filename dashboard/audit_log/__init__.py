"""The page Audit log: who did what."""
