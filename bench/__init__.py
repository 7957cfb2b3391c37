"""The benchmark: what the gateway adds to an upstream that costs nothing itself."""
