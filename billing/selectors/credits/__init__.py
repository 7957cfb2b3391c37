"""What organizations have of promotional credit, and what was asked for."""
