"""What a simulated month needs of billing: a payment provider that is played, and its tables."""
