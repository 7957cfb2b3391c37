"""A request from acceptance to its answer: created or attached, adopted, waited for."""
