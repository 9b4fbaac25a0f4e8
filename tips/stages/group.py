"""Groups the joints by the train split's data, and compares the groups with Table V's."""

import logging
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

import tips.records as records
from tips import skeleton
from tips.config import ConfigError, load_study
from tips.ops.grouping import agreement, group_parts, normalised_information
from tips.paths import study_paths

log = logging.getLogger(__name__)


def run(count: int, scale: str = "desk", root: str = "") -> None:
    """Groups the 15 joints by the mutual information of their locations.

    Writes groups/{dataset}/{count}.json, with a heat map of its matrix beside it. The file's `ari`
    is the agreement (adjusted Rand index) with Table V's grouping of the same count, or null if
    Table V has none.

    Args:
        count: Sets N, the number of groups.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        ConfigError: the dataset has other joints than PoseTrack's.
        ValueError: count out of range, or too few labelled people.
        RecordError: the annotations are missing or malformed.
    """
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    if study.scale.dataset.body is not skeleton.POSETRACK:
        raise ConfigError(
            f"scale '{scale}' has other joints than PoseTrack's, which alone are grouped by data"
        )
    annotations = records.read(records.Annotations, paths.annotations("train"))
    joints, boxes = _people(annotations)
    matrix = normalised_information(joints, boxes)
    groups = group_parts(matrix, count)
    published = skeleton.GROUPS.get(count)
    ari = None if published is None else round(agreement(groups, tuple(published.values())), 4)
    if ari is not None and ari < 1:
        log.warning("N = %d: the data's groups differ from Table V's, ARI %.2f", count, ari)
    out = paths.groups(str(count))
    _draw(matrix, groups, out.with_suffix(".png"))
    records.write_json(
        {
            "count": count,
            "groups": [list(group) for group in groups],
            "names": [[skeleton.JOINTS[joint] for joint in group] for group in groups],
            "ari": ari,
            "samples": len(joints),
            "matrix": [[_number(value) for value in row] for row in matrix],
        },
        out,
    )


def _people(
    annotations: records.Annotations,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Collects joints (n, 15, 2) and boxes (n, 4), image px, of all labelled people with a box."""
    people = [
        person
        for sequence in annotations.sequences
        for frame in sequence.frames
        if frame.labelled
        for person in frame.people
        if min(person.box[2:]) > 0 and any(point is not None for point in person.joints)
    ]
    if not people:
        raise records.RecordError(f"{annotations.dataset}: the train split labels no person")
    return np.stack([p.points for p in people]), np.array([p.box for p in people])


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _draw(matrix: NDArray[np.float64], groups: tuple[tuple[int, ...], ...], path: Path) -> None:
    """Draws the matrix as a heat map, with joints in the order of the groups and groups framed."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    order = [joint for group in groups for joint in group]
    names = [skeleton.JOINTS[joint].replace("_", " ") for joint in order]
    figure, axes = plt.subplots(figsize=(7, 6), layout="constrained")
    shown = np.where(np.eye(len(order), dtype=bool), np.nan, matrix[np.ix_(order, order)])
    picture = axes.imshow(shown, cmap="viridis", vmin=0)
    axes.set_xticks(range(len(order)), names, rotation=90)
    axes.set_yticks(range(len(order)), names)
    start = -0.5
    for group in groups:
        size = len(group)
        axes.add_patch(plt.Rectangle((start, start), size, size, fill=False, ec="red", lw=2))
        start += size
    axes.set_title(f"Adjusted mutual information of joint locations, N = {len(groups)}")
    figure.colorbar(picture, ax=axes, label="adjusted mutual information")
    with records.atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    plt.close(figure)
