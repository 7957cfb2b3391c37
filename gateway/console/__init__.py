"""Pages of the console about generations."""
