"""What a few letters find, in the palette and as a page."""
