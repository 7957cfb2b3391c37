"""Closing months: what only the gateway can say of them."""
