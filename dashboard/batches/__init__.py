"""The page Batches: the list, one batch while it runs, its requests, and starting one."""
