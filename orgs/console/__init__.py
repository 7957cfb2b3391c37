"""Pages of the console: its frame, accounts, and what belongs to an organization itself."""
