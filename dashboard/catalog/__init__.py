"""The page Models & providers: what members may ask for, and how operators set it up."""
