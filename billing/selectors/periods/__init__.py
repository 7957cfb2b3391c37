"""Months of the platform's books: which are closed, and what keeps one open."""
