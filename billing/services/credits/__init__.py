"""Promotional credit: given, spent before the wallet, and expired."""
