"""The verbs of the `tips` command line and their options."""
