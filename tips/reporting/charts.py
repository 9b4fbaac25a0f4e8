"""Gathers the pictures of the report: those drawn from tables, and those that stages left."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tips.config import BACKBONE
from tips.paths import Paths
from tips.records import atomic_path, read_object
from tips.reporting import figures, verdict_figure
from tips.reporting.figures import Bar, Curve, Point
from tips.tables.cells import Value, known, number
from tips.tables.claims import ClaimRow
from tips.tables.compared import Gain, Line
from tips.tables.groups import PartRow
from tips.tables.sources import Step

FOLDER = "figures"
CAPTIONS = "pictures.json"
MARKS = {"re-implemented": " (re-impl.)", "re-implemented, MI surrogate": " (surrogate)"}
# Pictures that the stage `pictures` leaves in reports/figures, in the order of the page.
LEFT = ("contrast.jpg", "windows-*.png", "synthesis-*.png", "overlay-*.png")
SEQUENCES = ("sequence-best-*.jpg", "sequence-worst-*.jpg")
Picture = tuple[str, str]  # caption, file relative to the page


def figure_4(rows: Sequence[PartRow], folder: Path) -> str:
    """Draws Fig. 4; returns the picture's name relative to the page."""
    points = [Point(row.groups, row.part, _number(row.oks), _number(row.ap), 0) for row in rows]
    figures.figure_4(points, folder / FOLDER / "figure-4")
    return f"{FOLDER}/figure-4.svg"


def gains(rows: Sequence[Line], metric: str, folder: Path) -> list[Picture]:
    """Draws the gains over the backbone and over the capacity control, if there are any.

    Args:
        rows: the rows of all tables that compare.
        metric: the metric of the dataset.
        folder: the folder of the page.
    """
    over_backbone = _bars((row, row.gain) for row in rows if row.baseline == BACKBONE)
    over_wide = _bars(((row, row.wide) for row in rows), paper=False)
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


def verdicts(rows: Sequence[ClaimRow], metric: str, folder: Path) -> Picture:
    """Draws every conclusion: the paper's difference, ours, its margin and its verdict.

    Args:
        rows: the conclusions.
        metric: the metric of the dataset.
        folder: the folder of the page.
    """
    drawn = [
        verdict_figure.Conclusion(
            f"{row.table_roman}  {row.said}",
            _printed(row.paper),
            _number(row.ours),
            _number(row.low),
            _number(row.high),
            row.margin,
            row.verdict,
        )
        for row in rows
    ]
    verdict_figure.draw(drawn, metric, folder / FOLDER / "verdicts")
    words = (
        "What the paper concludes, on one axis: dots are our differences with their 95 % "
        "intervals, coloured by the verdict; diamonds are the paper's differences, where it prints "
        "both numbers; grey bands are the margins within which a difference counts as none"
    )
    return words, f"{FOLDER}/verdicts.svg"


def losses(curves: Mapping[str, Sequence[Step]], folder: Path) -> list[Picture]:
    """Draws every term of the full model, and the total of every variant.

    Args:
        curves: the logged steps of every run, by "variant / seed".
        folder: the folder of the page.
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


def of_sequences(folder: Path) -> list[Picture]:
    """Lists the pictures of the best and worst sequences, which the stage `pictures` left.

    Args:
        folder: the folder of the page.

    Raises:
        RecordError: the file with the captions is malformed.
    """
    return left(folder, SEQUENCES)


def left(folder: Path, patterns: Sequence[str] = LEFT) -> list[Picture]:
    """Lists the pictures that the stage `pictures` left beside the page, with their captions.

    Files that pictures.json does not name are left out, because an older study left them. Raises
    RecordError if it is malformed.
    """
    listed = folder / FOLDER / CAPTIONS
    captions = read_object(listed) if listed.is_file() else {}
    return [
        (str(captions[name]), f"{FOLDER}/{name}")
        for pattern in patterns
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


def _bars(rows: Iterable[tuple[Line, Gain]], paper: bool = True) -> list[Bar]:
    bars: dict[str, Bar] = {}  # a variant that several tables have is drawn once
    for row, gain in rows:
        if row.row.endswith("detected"):  # these rows have another baseline
            continue
        if not (known(gain.value) and known(gain.low) and known(gain.high)):
            continue
        published = float(row.gain_paper) if paper and row.gain_paper is not None else None
        separable = gain.verdict in ("above", "below")
        label = row.variant + MARKS.get(row.origin, "")
        bar = Bar(label, published, gain.value, gain.low, gain.high, separable)
        bars.setdefault(row.variant, bar)
    return list(bars.values())


def _curve(name: str, steps: Sequence[Step]) -> Curve:
    kept = [step for step in steps if name == "total" or name in step.terms]
    values = [step.total if name == "total" else step.terms[name] for step in kept]
    return Curve(name, [step.step for step in kept], values)


def _printed(text: str) -> float | None:
    found = number(text)
    return None if found is None else float(found)


def _number(value: Value) -> float | None:
    return value if known(value) else None
