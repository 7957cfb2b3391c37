"""Pages of the playground: its form, what comes of it, edits, and the last runs."""
