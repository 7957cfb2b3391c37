"""Computes the books of a month anew from their CSV files: `python -m tests.recompute FOLDER`.

It shares no code with the product, and knows its rules from the documentation alone.
"""
