"""Compares studies: whether a rerun gives what another one gave, and what differs between two."""
