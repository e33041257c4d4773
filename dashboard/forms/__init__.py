"""What forms of all pages share: their look, names that are typed, and sign-ins that are asked for again."""
