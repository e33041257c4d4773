"""The page Settings: oneself, security, and for admins the organization, webhooks and single sign-on."""
