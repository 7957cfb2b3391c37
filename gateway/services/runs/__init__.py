"""A run of a generation in a worker: claimed, called, stored, ended, and recovered."""
