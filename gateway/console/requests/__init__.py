"""Pages of the request log, and everything about one request."""
