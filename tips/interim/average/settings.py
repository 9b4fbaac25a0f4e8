"""Settings of the interim generator `average`; it has none."""

from tips.config.parts import Part


class Settings(Part):
    """No settings."""
