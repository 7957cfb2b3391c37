"""Pages of the platform's operators."""
