"""The Playground: a model tried in the browser, at the cost of a workspace."""
