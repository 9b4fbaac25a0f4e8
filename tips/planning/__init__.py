"""Tells what a study will take before it is run: hours, memory, multiply-adds."""
