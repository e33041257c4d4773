"""The page Members: people, invitations and service accounts."""
