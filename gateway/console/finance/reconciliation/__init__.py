"""Pages on which finance reconciles what providers charge."""
