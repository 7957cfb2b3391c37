"""Pages on which an organization is administered."""
