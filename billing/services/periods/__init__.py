"""Closing the months of the platform's books."""
