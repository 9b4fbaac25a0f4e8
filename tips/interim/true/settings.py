"""What the interim generator true is told: nothing."""

from tips.config.parts import Part


class Settings(Part):
    """It has no settings."""
