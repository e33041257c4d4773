"""What every page stands on: whose page it is, the navigation around it, and how numbers and errors are written."""
