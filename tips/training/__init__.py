"""Training: the job of a variant and a seed, the loop, its saved state and its records."""
