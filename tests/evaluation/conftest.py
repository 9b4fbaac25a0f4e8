"""Small hand-made scenes; a standing person's 15 joints lie on a grid 50 px apart."""

import numpy as np
import pytest

from tips import records
from tips.evaluation.people import Clip, FoundFrame, TruthFrame

GRID = np.array([(100 + 50 * (j % 5), 100 + 60 * (j // 5)) for j in range(15)], dtype=np.float64)
HEAD = 30.0  # so that hits reach 15 px


def truth_frame(*people, heads=None, ignore=(), tracks=None):
    joints = np.array(people, dtype=np.float64).reshape(-1, 15, 2)
    n = len(joints)
    return TruthFrame(
        joints,
        np.full(n, HEAD) if heads is None else np.array(heads, dtype=np.float64),
        tuple(np.array(ring, dtype=np.float64) for ring in ignore),
        np.tile([80.0, 80.0, 250.0, 200.0], (n, 1)),
        tuple(range(n)) if tracks is None else tuple(tracks),
    )


def found_frame(*people, scores=0.5, tracks=None):
    joints = np.array(people, dtype=np.float64).reshape(-1, 15, 2)
    n = len(joints)
    each = np.asarray(scores, dtype=np.float64)
    each = each[:, None] if each.ndim == 1 else each
    full = np.ascontiguousarray(np.broadcast_to(each, (n, 15)))
    return FoundFrame(
        joints, full, full.mean(axis=1), tuple(range(n)) if tracks is None else tracks
    )


def clip(truth, found, name="a", stratum="walk"):
    return Clip(name, stratum, tuple(range(len(truth))), tuple(truth), tuple(found))


def random_clip(rng, name="a", stratum="walk", frames=4, people=3, noise=12.0):
    """People beside each other, some joints unannotated, some people missed or made up."""
    truths, founds = [], []
    for _ in range(frames):
        real = [np.add(GRID, (400 * i, 0)) + rng.normal(0, 5, (15, 2)) for i in range(people)]
        guesses = [person + rng.normal(0, noise, (15, 2)) for person in real]
        for person in real:
            person[rng.random(15) < 0.15] = np.nan
        for person in guesses:
            person[rng.random(15) < 0.1] = np.nan
        kept = [guess for guess in guesses if rng.random() < 0.85]
        if rng.random() < 0.5:
            kept.append(GRID + rng.uniform(-200, 1000, 2))
        truths.append(truth_frame(*real))
        founds.append(found_frame(*kept, scores=rng.random((len(kept), 15))))
    return clip(truths, founds, name, stratum)


def random_records(rng, sequences=3, frames=4, people=2, between=False):
    """Annotations with unlabelled frames, ignore regions, absent joints; and predictions."""
    annotated, predicted = [], []
    for s in range(sequences):
        name = f"{s:06d}_mpii_test"
        rows, poses = [], []
        for f in range(frames):
            real = [
                np.add(GRID, (400 * i, 3 * f)) + rng.normal(0, 4, (15, 2)) for i in range(people)
            ]
            listed = tuple(
                records.Person(
                    track=i,
                    box=(80.0 + 400 * i, 80.0, 250.0, 200.0),
                    head=(180.0, 210.0, 21.3, 45.1),
                    joints=tuple(None if rng.random() < 0.1 else tuple(p) for p in person),
                )
                for i, person in enumerate(real)
            )
            labelled = f != 1
            ring = ((90.0, 90.0), (160.0, 90.0), (160.0, 170.0), (90.0, 170.0))
            rows.append(
                records.Frame(
                    file=f"images/val/{name}/{f:06d}.jpg",
                    id=1000 * s + f,
                    labelled=labelled,
                    ignore=(ring,) if f == 2 else (),
                    people=listed if labelled and not (s == 0 and f == 3) else (),
                )
            )
            if rng.random() < 0.85:
                guesses = [real[i] + rng.normal(0, 10, (15, 2)) for i in range(people)]
                poses.append(
                    records.FramePoses(
                        frame=f,
                        poses=tuple(
                            records.Pose(
                                track=i,
                                score=float(rng.random()),
                                joints=tuple(map(tuple, guess.tolist())),
                                scores=tuple(rng.random(15).tolist()),
                            )
                            for i, guess in enumerate(guesses)
                            if rng.random() < 0.9
                        ),
                    )
                )
        annotated.append(
            records.Sequence(
                name=name, width=900, height=500, motion=f"m{s % 2}", frames=tuple(rows)
            )
        )
        if s != 1:
            predicted.append(records.SequencePredictions(name=name, frames=tuple(poses)))
    return (
        records.Annotations(dataset="d", split="val", root="r", sequences=tuple(annotated)),
        records.Predictions(variant="v", seed=0, boxes="gt", sequences=tuple(predicted)),
    )


class Scenes:
    """What tests of this folder build their scenes from."""

    GRID, HEAD = GRID, HEAD
    truth_frame = staticmethod(truth_frame)
    found_frame = staticmethod(found_frame)
    clip = staticmethod(clip)
    random_clip = staticmethod(random_clip)
    random_records = staticmethod(random_records)


@pytest.fixture(scope="session")
def scenes():
    return Scenes
