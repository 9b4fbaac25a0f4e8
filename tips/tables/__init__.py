"""Makes the tables of a study from tables.yaml and from its runs, without torch."""
