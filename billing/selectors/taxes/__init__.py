"""How organizations are taxed."""
