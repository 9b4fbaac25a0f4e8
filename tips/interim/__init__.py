"""Interim frames: what makes the frame half-way between two others, a folder per kind."""
