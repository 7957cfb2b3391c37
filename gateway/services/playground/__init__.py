"""Generating in the console: without an API key, by several models at once, with its code."""
