"""Reporting: tables.yaml and the runs of a study -> tables, figures, pages. No torch."""
