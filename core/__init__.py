"""The shared kernel: errors, ids, clock, outbound HTTP, Redis and the queue. No models; imports no app."""
