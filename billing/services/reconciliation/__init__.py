"""Reconciling what image providers charge with what was booked."""
