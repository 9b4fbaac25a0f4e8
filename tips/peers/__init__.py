"""Networks that others trained on other data, run as they were published."""
