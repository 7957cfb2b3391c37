"""Taxes: their rates, how organizations are taxed, and what of a payment is tax."""
