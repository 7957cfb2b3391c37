"""Reading what was charged, what is asked back, and credit notes."""
