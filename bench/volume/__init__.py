"""How long reading takes when a million generations are there; see docs/performance.md."""
