"""Tables and run folders -> figures and the report; no torch."""
