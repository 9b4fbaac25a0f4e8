"""Measured runs beside the printed numbers, as typed tables; no torch."""
