"""Issuing invoices, and checking that they are the payments'."""
