"""Pages of the platform's operators that need people and organizations alone."""
