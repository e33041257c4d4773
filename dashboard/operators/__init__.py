"""The pages of who runs the installation: Organizations, Tiers and Operator keys."""
