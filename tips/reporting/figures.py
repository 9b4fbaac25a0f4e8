"""Draws Fig. 4, the gains with their intervals, and loss curves, as SVG and PNG.

The bytes of the files depend only on the data: they have no date, element ids are fixed, and text
is drawn as paths.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np

from tips import skeleton
from tips.records import atomic_path
from tips.safe_text import one_line

mpl.use("Agg")

from matplotlib import pyplot as plt

STYLE = {
    "svg.hashsalt": "tips",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.edgecolor": "#9ca3af",
    "legend.frameon": False,
    "figure.dpi": 110,
    "text.parse_math": False,  # a dollar in a name is a dollar
}
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#7c3aed", "#e69f00", "#56b4e9", "#cc79a7")
INK = "#111827"
PALE = "#9ca3af"
MOST = (0.1, 0.9)  # quantiles between which most rows lie
LABEL = 48  # characters of a name
FAR = 2.0  # a gain farther beyond them than this many times their distance is off the axis


class Point(NamedTuple):
    """One value of Fig. 4, in percent: a part, or "Mean" for the mean of the seven, at N groups."""

    groups: int
    part: str
    oks: float | None
    ap: float | None
    n: int


class Bar(NamedTuple):
    """One row of the forest plot, in points of the dataset's metric."""

    label: str
    paper: float | None
    value: float
    low: float
    high: float
    separable: bool


class Curve(NamedTuple):
    """One named loss over the training steps."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]


def figure_4(points: Sequence[Point], stem: Path) -> None:
    """Draws Fig. 4: OKS and AP of the seven parts and their mean, over the number of groups."""
    numbers = sorted({point.groups for point in points})
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2), sharex=True)
        for axis, name in zip(axes, ("oks", "ap"), strict=True):
            for index, part in enumerate((*skeleton.COLUMNS, "Mean")):
                series = {p.groups: getattr(p, name) for p in points if p.part == part}
                heights = [_or_nan(series.get(number)) for number in numbers]
                mean = part == "Mean"
                axis.plot(
                    range(len(numbers)),
                    heights,
                    marker="o",
                    markersize=6 if mean else 4,
                    linewidth=2.6 if mean else 1.3,
                    color=INK if mean else COLOURS[index],
                    label=part,
                )
            axis.set_xticks(range(len(numbers)), [str(number) for number in numbers])
            axis.set_xlabel("number of part groups N")
            axis.set_title("OKS (%)" if name == "oks" else "AP (%)", loc="left", fontsize=10)
        axes[1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        figure.tight_layout()
        save(figure, stem)


def forest(bars: Sequence[Bar], title: str, metric: str, stem: Path) -> None:
    """Draws gains with their 95 % intervals, and the paper's gain as a hollow diamond beside them.

    A gain so far off that the others would become too short to read is an arrow with its number.

    Args:
        bars: one row per variant.
        title: the title of the figure.
        metric: the metric of the gains.
        stem: the path of the figure, without its suffix.
    """
    with plt.rc_context(STYLE):
        height = 1.0 + 0.27 * max(len(bars), 1)
        figure, axis = plt.subplots(figsize=(8.2, height))
        axis.axvline(0, color=INK, linewidth=1)
        low, high = readable(bars)
        for place, bar in enumerate(reversed(bars)):
            colour = COLOURS[1] if bar.separable else PALE
            if low <= bar.value <= high:
                axis.plot([bar.low, bar.high], [place, place], color=colour, linewidth=2)
                axis.plot(bar.value, place, "o", color=colour, markersize=6)
            else:
                beyond(axis, place, bar.value, (low, high), colour)
            if bar.paper is not None:
                axis.plot(
                    bar.paper, place, "D", markerfacecolor="none", color=COLOURS[0], markersize=6
                )
        axis.set_yticks(range(len(bars)), [one_line(bar.label, LABEL) for bar in reversed(bars)])
        axis.set_ylim(-0.8, len(bars) - 0.2)
        axis.grid(axis="y", visible=False)
        paper = "; diamond: the paper's gain" if any(bar.paper is not None for bar in bars) else ""
        axis.set_xlabel(f"gain, {metric} points (grey: not separable{paper})")
        axis.set_title(title, loc="left", fontsize=10)
        figure.tight_layout()
        save(figure, stem)


def beyond(axis: Any, place: float, value: float, ends: tuple[float, float], colour: str) -> None:
    """Draws a value that is not on the axis: an arrow at its edge, with the number.

    Args:
        axis: the axes to draw on.
        place: the height of the row.
        value: the value, points.
        ends: the range of the axis.
        colour: the colour of the arrow.
    """
    edge, arrow, shift, side = (
        (ends[0], "<", 8, "left") if value < ends[0] else (ends[1], ">", -8, "right")
    )
    words = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
    axis.plot(edge, place, arrow, color=colour)
    axis.annotate(
        words, (edge, place), (shift, 0), textcoords="offset points", ha=side, va="center"
    )


def readable(bars: Sequence[Bar]) -> tuple[float, float]:
    """Gives the range of the axis; gains far outside of what most rows have are not on it."""
    always = [0.0, *(bar.paper for bar in bars if bar.paper is not None)]
    low, high = np.quantile([*always, *(bar.value for bar in bars)], MOST)
    far = FAR * (high - low)
    near = [bar for bar in bars if low - far <= bar.value <= high + far]
    ends = [*always, *(end for bar in near for end in (bar.low, bar.high))]
    return min(ends), max(ends)


def losses(panels: Mapping[str, Sequence[Curve]], stem: Path) -> None:
    """Draws one panel of loss curves per name, each with a scale of its own."""
    columns = 3 if len(panels) < 13 else 5
    rows = max(1, -(-len(panels) // columns))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(9.6, (2.2 if columns == 3 else 1.5) * rows),
            squeeze=False,
            layout="constrained",
        )
        for axis, (name, curves) in zip(axes.flat, panels.items(), strict=False):
            for index, curve in enumerate(curves):
                colour = COLOURS[index % len(COLOURS)]
                axis.plot(
                    curve.steps,
                    curve.values,
                    linewidth=1.1,
                    color=colour,
                    label=one_line(curve.name, LABEL),
                )
            axis.set_title(one_line(name, LABEL), loc="left", fontsize=9 if columns == 3 else 7)
            axis.tick_params(labelsize=7)
            if 1 < len(curves) < 9:
                axis.legend(fontsize=7)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for axis in axes[-1]:
            axis.set_xlabel("step")
        save(figure, stem)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def save(figure: Any, stem: Path) -> None:
    """Writes stem.svg and stem.png, without a date or a version in them, and closes the figure."""
    undated = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
    for suffix, metadata in undated.items():
        with atomic_path(stem.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, metadata=metadata)
    plt.close(figure)
