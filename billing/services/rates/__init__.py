"""Exchange rates and spreads: set by people, fetched from those who publish them."""
