"""Draws windows where the full model and its best rival differ most, in the place of Fig. 6."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import pyplot as plt

from tips import records
from tips.config import BACKBONE, FULL, rivals
from tips.evaluation import pck
from tips.evaluation.contrast import Contrast, Judged, Place, best, extremes, judge, shared
from tips.evaluation.matching import THRESHOLD
from tips.evaluation.people import Unit, from_records
from tips.opened import EXPERIMENTS, Opened, read_annotations
from tips.ops.image import Image, read_image
from tips.pictures.canvas import View, bones, save, show
from tips.tables.published import load_tables

FILE = "contrast.jpg"
COUNT = 2  # wins that are drawn, and losses
MARGIN = 0.75  # half the side of a view, as a share of the longer side of the person's box
WRONG = "#ff2d2d"
Methods = Mapping[str, Mapping[Place, Judged]]


class Measure(NamedTuple):
    """The unit of distances, and the distance from which on a joint is wrong."""

    unit: Unit
    words: str
    threshold: float
    metric: str


HEAD = Measure("head", "head sizes", THRESHOLD, "PCKh")
BOX = Measure("box", "sides of the person's box", pck.THRESHOLD, "PCK")


def draw_contrast(opened: Opened, folder: Path) -> dict[str, str]:
    """Draws contrast.jpg; returns its caption by file name, or nothing if no rival has predictions.

    Rows are people of the validation split. Columns are the true pose, the backbone, every rival
    that was trained, and the full model. Predictions are those of seed 0 on the scale's usual
    boxes. A picture that an earlier call left is removed first.
    """
    study, paths = opened
    (folder / FILE).unlink(missing_ok=True)
    boxes = study.scale.evaluation.boxes
    files = {name: paths.predictions(name, "0", boxes) for name in rivals()}
    trained = [name for name, file in files.items() if name in study.variants and file.is_file()]
    if not trained:
        return {}
    annotations = read_annotations(paths, "val")
    measure = BOX if study.scale.dataset.metric == "PCK" else HEAD
    methods = {}
    for name in (BACKBONE, *trained, FULL):
        found = records.read(records.Predictions, paths.predictions(name, "0", boxes))
        methods[name] = judge(
            from_records(annotations, found, unit=measure.unit), measure.threshold
        )
    people = shared(list(methods.values()))
    rival = best(methods, trained, people)
    wins, losses = extremes(methods[FULL], methods[rival], people, COUNT)
    if not (wins or losses):
        return {}
    _sheet(opened, annotations, methods, [*wins, *losses], measure, folder / FILE)
    absent = [name for name in rivals() if name not in trained]
    origin = load_tables(EXPERIMENTS / "tables.yaml").origins.get(rival, "ours")
    caption = (
        f"Fig. 6's counterpart, chosen by rule: of the {len(people)} validation people whom every "
        f"method sees, those on whom {FULL} and its best rival ({rival}, {origin}; most right "
        f"joints over all of them) differ most in the number of right joints: the {len(wins)} "
        f"largest wins of {FULL}, then its {len(losses)} largest losses, one per sequence; of "
        "equals the larger difference in mean error, then the first. Red circle: a joint farther "
        f"than {measure.threshold:g} {measure.words} from its true place, wrong by "
        f"{measure.metric}; above each pose, right joints of the annotated ones. Seed 0."
    )
    return {FILE: caption + (f" Without predictions here: {', '.join(absent)}." if absent else "")}


def _sheet(
    opened: Opened,
    annotations: records.Annotations,
    methods: Methods,
    chosen: list[Contrast],
    measure: Measure,
    path: Path,
) -> None:
    sequences = {sequence.name: sequence for sequence in annotations.sequences}
    body = opened.study.scale.dataset.body
    size = (1.55 * (1 + len(methods)), 1.8 * len(chosen))
    figure, axes = plt.subplots(
        len(chosen), 1 + len(methods), figsize=size, squeeze=False, layout="constrained"
    )
    for row, (place, difference, _) in zip(axes, chosen, strict=True):
        frame = sequences[place[0]].frames[place[1]]
        person = frame.people[place[2]]
        image = read_image(opened.paths.root / frame.file)
        view = _around(person.box, image)
        word = "wins" if difference > 0 else "loses"
        show(row[0], image, f"true pose\n{FULL} {word} by {abs(difference)}", view)
        labelled = np.isfinite(person.points[:, 0])
        bones(row[0], person.points, labelled, body)
        for axis, (name, people) in zip(row[1:], methods.items(), strict=True):
            seen = people[place]
            show(axis, image, f"{name}\n{seen.right} of {labelled.sum()}", view)
            bones(axis, seen.joints, np.isfinite(seen.errors), body)
            wrong = seen.joints[seen.errors > measure.threshold]
            axis.plot(*wrong.T, "o", mfc="none", mec=WRONG, ms=8, mew=1.4)
    save(figure, path)


def _around(box: records.Box, image: Image) -> View:
    """Gives a square view around a person, inside the frame."""
    x, y, width, height = box
    frame = np.array(image.shape[1::-1])
    half = min(MARGIN * max(width, height), frame.min() / 2)
    centre = np.clip((x + width / 2, y + height / 2), half, frame - half)
    left, top, right, bottom = map(float, (*(centre - half), *(centre + half)))
    return left, top, right, bottom
