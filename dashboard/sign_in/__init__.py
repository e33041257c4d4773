"""How somebody comes in: password, second factor, invitation or a new password; and how long they stay."""
