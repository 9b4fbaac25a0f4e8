"""Trained models at work: loading them, and poses of people in boxes."""
