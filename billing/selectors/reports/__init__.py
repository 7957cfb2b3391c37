"""What finance reads: sums of the journal, and what they are made of."""
