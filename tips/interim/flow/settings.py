"""What the interim generator flow is told: nothing."""

from tips.config.parts import Part


class Settings(Part):
    """It has no settings."""
