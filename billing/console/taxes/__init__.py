"""Pages about taxes and invoices."""
