"""Tags and filters for amounts of money."""
