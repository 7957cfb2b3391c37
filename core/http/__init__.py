"""Outbound HTTP: deadlines, size limits and a guard against private targets."""
