"""Which pictures the report shows: those it draws from the tables, and those that others left."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tips.config import BACKBONE, MEAN_POSE
from tips.paths import Paths
from tips.records import atomic_path, read_json
from tips.reporting import figures, view
from tips.reporting.figures import Bar, Curve, Point
from tips.reporting.sources import Step
from tips.reporting.view import Row

FOLDER = "figures"
CAPTIONS = "pictures.json"
MARKS = {"re-implemented": " (re-impl.)", "re-implemented, MI surrogate": " (surrogate)"}
# What the torch-side stages leave in reports/figures, in the order of the page.
LEFT = ("contrast.jpg", "windows-*.png", "synthesis-*.png", "overlay-*.png")
Picture = tuple[str, str]  # caption, file relative to the page


def figure_4(rows: Sequence[Row], folder: Path) -> str:
    """Draws Fig. 4; returns the picture's name relative to the page."""
    points = [
        Point(int(row["groups"]), row["part"], _number(row["oks"]), _number(row["ap"]), 0)
        for row in rows
    ]
    figures.figure_4(points, folder / FOLDER / "figure-4")
    return f"{FOLDER}/figure-4.svg"


def gains(sheets: Mapping[str, Sequence[Row]], metric: str, folder: Path) -> list[Picture]:
    """Draws the gains over the backbone and over the capacity control, where there are any."""
    rows = [row for name in _compared(sheets) for row in sheets[name]]
    over_backbone = _bars(
        (r for r in rows if r["baseline"] == BACKBONE), ("gain_ours", "low", "high", "verdict")
    )
    over_wide = _bars(rows, ("gain_wide", "low_wide", "high_wide", "verdict_wide"), paper=False)
    drawn = []
    for bars, words, stem in (
        (over_backbone, "Gain over the single-frame backbone", "gains-hrnet"),
        (
            over_wide,
            "Gain over concat-wide, a concatenation of the full model's size",
            "gains-wide",
        ),
    ):
        if bars:
            figures.forest(bars, words, metric, folder / FOLDER / stem)
            drawn.append((f"{words}, 95 % intervals", f"{FOLDER}/{stem}.svg"))
    return drawn


def losses(curves: Mapping[str, Sequence[Step]], folder: Path) -> list[Picture]:
    """Draws every term of the full model, and the total of every variant.

    Args:
        curves: "variant / seed" -> logging steps.
        folder: of the page.
    """
    drawn = []
    full = next((steps for name, steps in curves.items() if name.startswith("tips /")), None)
    if full:
        names = dict.fromkeys(name for step in full for name in step.terms)
        panels = {name: [_curve(name, full)] for name in names}
        figures.losses(panels, folder / FOLDER / "losses-full")
        drawn.append(("Every loss term of the full model, seed 0", f"{FOLDER}/losses-full.png"))
    if curves:
        totals: dict[str, list[Curve]] = {}
        for name, steps in curves.items():
            variant, _, seed = name.partition(" / ")
            totals.setdefault(variant, []).append(_curve("total", steps)._replace(name=seed))
        figures.losses(totals, folder / FOLDER / "losses-all")
        words = "Total loss of every variant, one line per seed; objectives differ, so do levels"
        drawn.append((words, f"{FOLDER}/losses-all.png"))
    return drawn


def left(folder: Path) -> list[Picture]:
    """Pictures that the stage `pictures` lists beside the page, with its captions (by file name).

    What it does not list is an older study's.
    """
    listed = folder / FOLDER / CAPTIONS
    captions = read_json(listed) if listed.is_file() else {}
    return [
        (str(captions[name]), f"{FOLDER}/{name}")
        for pattern in LEFT
        for name in sorted(captions)
        if fnmatch(name, pattern) and (folder / FOLDER / name).is_file()
    ]


def groups(counts: Sequence[int], paths: Paths) -> dict[int, str]:
    """Copies the grouping's pictures beside the page."""
    found = {}
    for count in counts:
        picture = paths.groups(str(count)).with_suffix(".png")
        if picture.is_file():
            name = f"{FOLDER}/groups-{count}.png"
            with atomic_path(paths.reports / name) as temporary:
                shutil.copyfile(picture, temporary)
            found[count] = name
    return found


def _compared(sheets: Mapping[str, Sequence[Row]]) -> list[str]:
    paper = ("table-2", "table-3", "table-4", "table-5", "table-6", "table-7")
    known = (*paper, "table-M", "table-I", "table-C", "table-variants")
    return [name for name in known if name in sheets]


def _bars(rows: Iterable[Row], names: tuple[str, str, str, str], paper: bool = True) -> list[Bar]:
    bars: dict[str, Bar] = {}  # a variant of several tables is drawn once
    for row in rows:
        values = [_number(row[name]) for name in names[:3]]
        # Detected boxes have a backbone row of their own; a mean pose would set the scale.
        if None in values or row["row"].endswith("detected") or row["variant"] == MEAN_POSE:
            continue
        value, low, high = (value for value in values if value is not None)
        published = _number(row["gain_paper"]) if paper else None
        separable = row[names[3]] in ("above", "below")
        label = row["variant"] + MARKS.get(row["origin"], "")
        bar = Bar(label, published, value, low, high, separable)
        bars.setdefault(row["variant"], bar)
    return list(bars.values())


def _curve(name: str, steps: Sequence[Step]) -> Curve:
    kept = [step for step in steps if name == "total" or name in step.terms]
    values = [step.total if name == "total" else step.terms[name] for step in kept]
    return Curve(name, [step.step for step in kept], values)


def _number(cell: str) -> float | None:
    return float(cell) if cell and cell not in view.NUMBERLESS else None
