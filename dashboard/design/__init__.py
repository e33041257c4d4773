"""Every component of the design system on one page, for who builds pages."""
