"""The price book: what prices leave, and changing them."""
