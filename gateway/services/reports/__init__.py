"""The sums behind finance's reports of what was sold."""
