"""Pages about paying."""
