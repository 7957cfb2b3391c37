"""Reading exchange rates."""
