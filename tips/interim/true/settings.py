"""Settings of the interim generator `true`; it has none."""

from tips.config.parts import Part


class Settings(Part):
    """No settings."""
