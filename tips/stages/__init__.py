"""Stages: one file per step of the workflow, whose `run` reads files and writes files."""
