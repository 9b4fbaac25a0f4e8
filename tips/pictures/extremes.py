"""Draws the sequences on which the full model gains and loses most over the backbone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tips import records
from tips.config import BACKBONE, FULL
from tips.evaluation import pck
from tips.evaluation.contrast import judge
from tips.evaluation.matching import THRESHOLD
from tips.evaluation.people import from_records
from tips.opened import Opened, read_annotations
from tips.pictures.overlays import draw_frame, labelled_joints
from tips.records import Annotations, Predictions
from tips.tables.by_sequence import PAIR, SequenceScore, score_sequences

COUNT: Final = 2  # sequences of each kind


def draw_extremes(opened: Opened, folder: Path) -> dict[str, str]:
    """Draws sequence-best-*.jpg and sequence-worst-*.jpg: truth, backbone and full model.

    Of each sequence the frame is drawn on which the two networks differ most in right joints, the
    same way as on the whole sequence. Pictures that an earlier call left are removed first.

    Args:
        opened: the study, whose runs of seed 0 have predicted.
        folder: the folder of the pictures.

    Returns:
        The caption of every picture, by file name; none if nothing is measured.
    """
    for old in folder.glob("sequence-*-*.jpg"):
        old.unlink()
    study, paths = opened
    scores = score_sequences(study, paths)
    if not scores:
        return {}
    boxes = study.scale.evaluation.boxes
    annotations = read_annotations(paths, "val")
    found = {name: records.read(Predictions, paths.predictions(name, "0", boxes)) for name in PAIR}
    lead = _lead(annotations, found, study.scale.dataset.metric)
    best = [one for one in scores[:COUNT] if one.difference > 0]
    worst = [one for one in scores[: -COUNT - 1 : -1] if one.difference < 0]
    known = labelled_joints(annotations)
    captions = {}
    for word, chosen in (("best", best), ("worst", worst)):
        for number, one in enumerate(chosen):
            file = f"sequence-{word}-{number}.jpg"
            frame = _frame(lead, one)
            draw_frame(opened, annotations, found, (one.name, frame), known, folder / file)
            captions[file] = _caption(one, frame, study.scale.dataset.metric)
    return captions


def _lead(
    annotations: Annotations, found: Mapping[str, Predictions], metric: str
) -> dict[tuple[str, int], int]:
    """Counts by how many joints more the full model is right, by sequence and frame."""
    unit, limit = ("box", pck.THRESHOLD) if metric == "PCK" else ("head", THRESHOLD)
    judged = {
        name: judge(from_records(annotations, one, unit=unit), limit)  # type: ignore[arg-type]
        for name, one in found.items()
    }
    lead: dict[tuple[str, int], int] = {}
    for place, person in judged[FULL].items():
        other = judged[BACKBONE].get(place)
        if other is not None:
            frame = place[:2]
            lead[frame] = lead.get(frame, 0) + person.right - other.right
    return lead


def _frame(lead: Mapping[tuple[str, int], int], one: SequenceScore) -> int:
    """Chooses the frame with the largest lead, or the smallest where the full model loses."""
    sign = 1 if one.difference > 0 else -1
    own = {frame: count for (name, frame), count in lead.items() if name == one.name}
    return max(own, key=lambda frame: sign * own[frame], default=0)


def _caption(one: SequenceScore, frame: int, metric: str) -> str:
    word = "Most gained" if one.difference > 0 else "Most lost"
    moves = f" ({one.motion})" if one.motion else ""
    return (
        f"{word}: {one.name}{moves}: {BACKBONE} {metric} {one.backbone:.1f}, {FULL} "
        f"{one.full:.1f}, difference {one.difference:+.1f}. Frame {frame}, seed 0: "
        f"annotation, {BACKBONE}, {FULL}."
    )
