"""What finance reads of five million postings, and how long it takes; see docs/performance.md."""
