"""Gives the interim generator that a study configures."""

from tips.interim.vfit.settings import Settings as Vfit
from tips.opened import Opened


def interpolator(opened: Opened) -> Vfit | None:
    """Gives the network of the interim generator `vfit`: trained in this study, or published."""
    settings: Vfit | None = opened.study.scale.vfit
    if settings is None or settings.training is None:
        return settings
    return Vfit(size=settings.size, weights=str(opened.paths.vfit))


def generator_settings(opened: Opened, generator: str) -> Vfit | None:
    """Gives the settings of an interim generator; None if its kind has none."""
    return interpolator(opened) if generator == "vfit" else None
