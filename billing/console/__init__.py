"""Pages of the console about money."""
