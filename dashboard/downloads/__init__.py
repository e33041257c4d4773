"""Files that pages hand out, made while they are sent."""
