"""Writes figures and pages of the report from the tables of a study, without torch."""
