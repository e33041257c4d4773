"""How somebody comes in through the identity provider of an organization."""
