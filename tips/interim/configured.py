"""The interim generator as a study configures it."""

from tips.interim.vfit.settings import Settings as Vfit
from tips.opened import Opened


def interpolator(opened: Opened) -> Vfit | None:
    """What the interim generator `vfit` is in a study: its own training's, or a published one."""
    settings: Vfit | None = opened.study.scale.vfit
    if settings is None or settings.training is None:
        return settings
    return Vfit(size=settings.size, weights=str(opened.paths.vfit))


def generator_settings(opened: Opened, generator: str) -> Vfit | None:
    """The settings of an interim generator; None where its kind has none."""
    return interpolator(opened) if generator == "vfit" else None
