"""Reading what providers' files say, and where our books say something else."""
