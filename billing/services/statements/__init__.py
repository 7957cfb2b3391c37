"""Issuing statements, and checking that the ledger still says what they say."""
