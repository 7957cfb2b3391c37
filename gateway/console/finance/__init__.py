"""Pages of finance that need to know what was drawn."""
