"""Copies the run folders into an MLflow database."""
