"""A month of a whole business, played with the real services and dated clocks."""
