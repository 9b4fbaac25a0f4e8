"""Makes up a dataset of any size in PoseTrack's files, for timing the evaluation."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tips import records
from tips.evaluation.people import Floats
from tips.evaluation.poseval_files import Style, write_found, write_truth
from tips.progress import track


class Crowd(NamedTuple):
    """The size of a made-up dataset."""

    sequences: int
    frames: int
    people: float  # mean per frame
    vary: bool  # numbers of people differ; only every 4th frame and the middle 30 are labelled


def write_crowd(crowd: Crowd, folder: Path, style: Style) -> None:
    """Writes truth into `gt` and predictions into `pred`; equal sizes give equal files.

    Args:
        crowd: the size of the dataset.
        folder: the folder that gets both.
        style: the form of the files, 17 or 18.
    """
    draw = np.random.default_rng(0)
    for index in track(range(crowd.sequences), f"writing {crowd.sequences} sequences"):
        sequence, found = _sequence(crowd, index, draw)
        annotations = records.Annotations(
            dataset="crowd", split="val", root="", sequences=(sequence,)
        )
        predictions = records.Predictions(variant="noise", seed=0, boxes="gt", sequences=(found,))
        write_truth(annotations, folder / "gt", style)
        write_found(predictions, annotations, folder / "pred", style)


def _sequence(
    crowd: Crowd, index: int, draw: np.random.Generator
) -> tuple[records.Sequence, records.SequencePredictions]:
    """Draws one sequence of 1280 x 720 px.

    Predictions are the people with noise, and half as many false ones. Every second frame has an
    ignore region.
    """
    name, middle = f"{index:06d}_mpii_test", crowd.frames // 2
    frames, poses = [], []
    for f in range(crowd.frames):
        n = max(1, int(draw.poisson(crowd.people))) if crowd.vary else int(crowd.people)
        labelled = not crowd.vary or f % 4 == 0 or abs(f - middle) < 15
        real = _people(n, draw)
        ring = draw.uniform(0, 720, 2) + np.round(draw.normal(0, 80, (20, 2)))
        frames.append(
            records.Frame(
                file=f"images/val/{name}/{f:06d}.jpg",
                id=10_000_000_000 + 10_000 * index + f,
                labelled=labelled,
                ignore=(_points(ring),) if f % 2 else (),
                people=tuple(_person(*item, draw) for item in enumerate(real) if labelled),
            )
        )
        wrong = _people(int(crowd.vary) * n // 2, draw)
        guesses = np.concatenate([real + draw.normal(0, 8, real.shape), wrong])
        found = tuple(_pose(track, joints, draw) for track, joints in enumerate(guesses))
        poses.append(records.FramePoses(frame=f, poses=found))
    sequence = records.Sequence(
        name=name, width=1280, height=720, motion=name, frames=tuple(frames)
    )
    return sequence, records.SequencePredictions(name=name, frames=tuple(poses))


def _people(n: int, draw: np.random.Generator) -> Floats:
    middles = draw.uniform((100, 150), (1180, 570), (n, 2))
    return middles[:, None] + draw.normal(0, (30, 60), (n, 15, 2))


def _points(array: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in np.round(array, 2).tolist())


def _person(track: int, joints: Floats, draw: np.random.Generator) -> records.Person:
    seen = draw.random(15) < 0.85
    x, y = (float(value) for value in joints.min(axis=0))
    return records.Person(
        track=track,
        box=(x, y, 120.0, 240.0),
        head=(x, y, 28.0, 36.0),
        joints=tuple(
            point if here else None for point, here in zip(_points(joints), seen, strict=True)
        ),
    )


def _pose(track: int, joints: Floats, draw: np.random.Generator) -> records.Pose:
    scores = np.round(draw.random(15), 6).tolist()
    return records.Pose(track=track, score=scores[0], joints=_points(joints), scores=tuple(scores))
