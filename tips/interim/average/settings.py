"""What the interim generator average is told: nothing."""

from tips.config.parts import Part


class Settings(Part):
    """It has no settings."""
