"""The first page: where an organization stands."""
