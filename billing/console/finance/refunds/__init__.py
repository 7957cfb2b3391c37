"""Finance's pages of refunds and adjustments."""
