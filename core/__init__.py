"""The shared kernel: errors, ids, clock, outbound HTTP, Redis, queue. No models; imports no app."""
