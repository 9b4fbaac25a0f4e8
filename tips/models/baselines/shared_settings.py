"""What the settings of several rivals share."""

from typing import Literal

from tips.config.parts import Part


class Start(Part):
    """What the heat maps begin at: the backbone's own maps, or zero."""

    start: Literal["backbone", "scratch"]


def only(window: tuple[int, ...], published: tuple[int, ...], model: str) -> tuple[int, ...]:
    """Checks the window of a model whose release has weights for one alone. Raises ValueError."""
    if window != published:
        raise ValueError(
            f"model {model} has weights for window {list(published)} alone; got {list(window)}"
        )
    return window


def several(window: tuple[int, ...], model: str) -> tuple[int, ...]:
    """Checks the window of a model that compares frames. Raises ValueError."""
    if len(window) < 2:
        raise ValueError(f"model {model} compares frames; window {list(window)} needs two or more")
    return window
