"""The page Logs: requests as they come, filtered, as files, and each of them."""
