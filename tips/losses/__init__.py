"""Losses that any model may weigh, a file each."""
