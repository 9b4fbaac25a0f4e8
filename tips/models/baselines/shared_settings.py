"""Settings and checks that several rivals share."""

from typing import Literal

from tips.config.parts import Part


class Start(Part):
    """The heat maps that a model corrects: the backbone's own ones, or zero."""

    start: Literal["backbone", "scratch"]


def only(window: tuple[int, ...], published: tuple[int, ...], model: str) -> tuple[int, ...]:
    """Checks the window of a model that is published for one window alone.

    Args:
        window: frames of the experiment's window, relative to frame t.
        published: frames of the published window.
        model: the model's name, for the message.

    Returns:
        The window.

    Raises:
        ValueError: if it is another one.
    """
    if window != published:
        raise ValueError(
            f"model {model} has weights for window {list(published)} alone; got {list(window)}"
        )
    return window


def several(window: tuple[int, ...], model: str) -> tuple[int, ...]:
    """Checks the window of a model that compares frames. Raises ValueError below two frames."""
    if len(window) < 2:
        raise ValueError(f"model {model} compares frames; window {list(window)} needs two or more")
    return window
