"""Adapters, one per provider: each turns a `Call` into images over the provider's own protocol."""
