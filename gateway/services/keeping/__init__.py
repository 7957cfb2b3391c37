"""Keeping the platform's data: backups, restoring them, and objects against artifacts."""
