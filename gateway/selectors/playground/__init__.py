"""What the playground looks back on: runs, and which image was made of which."""
