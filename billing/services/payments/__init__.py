"""Payments by card and bank transfer."""
