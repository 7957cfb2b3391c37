"""What a process shows of itself on a port of its own: metrics, and whether it lives and serves."""
