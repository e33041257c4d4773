"""Pages for people: a room for each page of the navigation, and a few for what pages share."""
