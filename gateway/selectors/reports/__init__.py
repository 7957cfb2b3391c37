"""What finance reads of what was sold and what it cost."""
