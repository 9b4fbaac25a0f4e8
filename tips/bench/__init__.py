"""Timing one thing against another, and the pages of what `make bench` times."""
