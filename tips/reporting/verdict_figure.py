"""Draws the page's first figure: the paper's conclusions beside ours, coloured by the verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from matplotlib import pyplot as plt

from tips.reporting import figures
from tips.safe_text import one_line

# Colour and mark of each verdict; marks tell them apart where colours do not.
LOOKS: Final = {
    "shown": ("#047857", "o"),
    "opposite": ("#b91c1c", "X"),
    "equivalent": ("#1d4ed8", "s"),
    "undecided": ("#6b7280", "o"),
    "unknown": ("#9ca3af", "o"),
    "missing": ("#9ca3af", ""),
}
HOLLOW: Final = ("undecided", "unknown")
PAPER: Final = "#d55e00"
MARGIN: Final = "#e5e7eb"
LONGEST: Final = 66  # characters of a conclusion


class Conclusion(NamedTuple):
    """One conclusion of the paper; differences in points, None where there is no such number."""

    label: str
    paper: float | None
    ours: float | None
    low: float | None
    high: float | None
    margin: float
    verdict: str


def draw(rows: Sequence[Conclusion], metric: str, stem: Path) -> None:
    """Draws one line per conclusion on one axis of points, for the paper's numbers and ours.

    A difference too far off is an arrow with its number at the edge of the axis.

    Args:
        rows: the conclusions, from top to bottom.
        metric: the metric of our differences.
        stem: the path of the figure, without its suffix.
    """
    with plt.rc_context(figures.STYLE):
        figure, axis = plt.subplots(figsize=(9.6, 1.0 + 0.235 * max(len(rows), 1)))
        axis.axvline(0, color=figures.INK, linewidth=1)
        low, high = figures.readable(_bars(rows))
        for place, row in enumerate(reversed(rows)):
            axis.barh(place, 2 * row.margin, 0.8, -row.margin, color=MARGIN, linewidth=0)
            _line(axis, place, row, (low, high))
        axis.set_yticks(range(len(rows)), [one_line(r.label, LONGEST) for r in reversed(rows)])
        axis.tick_params(axis="y", length=0, labelsize=8.5)
        axis.set_ylim(-0.8, len(rows) - 0.2)
        axis.grid(axis="y", visible=False)
        axis.set_xlabel(f"difference of two rows, points (ours {metric}, the paper's mAP)")
        _legend(axis, rows)
        figure.tight_layout()
        figures.save(figure, stem)


def _line(axis: Any, place: int, row: Conclusion, ends: tuple[float, float]) -> None:
    colour, mark = LOOKS[row.verdict]
    if row.paper is not None:
        axis.plot(row.paper, place, "D", markerfacecolor="none", color=PAPER, markersize=5.5)
    if row.ours is not None and ends[0] <= row.ours <= ends[1]:
        if row.low is not None and row.high is not None:
            axis.plot([row.low, row.high], [place, place], color=colour, linewidth=2)
        face = "white" if row.verdict in HOLLOW else colour
        axis.plot(row.ours, place, mark, color=colour, markerfacecolor=face, markersize=6)
    elif row.ours is not None:
        figures.beyond(axis, place, row.ours, ends, colour)
    words = {"transform": axis.get_yaxis_transform(), "color": colour, "fontsize": 8.5}
    axis.text(1.01, place, row.verdict, va="center", **words)


def _bars(rows: Sequence[Conclusion]) -> list[figures.Bar]:
    return [
        figures.Bar(row.label, row.paper, row.ours, *_interval(row), separable=True)
        for row in rows
        if row.ours is not None
    ]


def _interval(row: Conclusion) -> tuple[float, float]:
    ours = row.ours or 0.0
    return (ours if row.low is None else row.low, ours if row.high is None else row.high)


def _legend(axis: Any, rows: Sequence[Conclusion]) -> None:
    axis.plot([], [], "D", markerfacecolor="none", color=PAPER, label="the paper")
    for verdict, (colour, mark) in LOOKS.items():
        if mark and any(row.verdict == verdict for row in rows):
            face = "white" if verdict in HOLLOW else colour
            axis.plot([], [], mark, color=colour, markerfacecolor=face, label=f"ours, {verdict}")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=6, handletextpad=0.2, fontsize=8.5)
