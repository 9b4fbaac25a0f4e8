import os
from pathlib import Path

import numpy as np
import pytest

from tips.evaluation.straightness import Track, measure, straightness
from tips.records import Annotations, Frame, Person, Sequence

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared")) / "samples"
BONN = SHARED / "bonn_annotations/bonn_multiperson_posetrack_60videos.npz"


def track(path: list[tuple[float, float]], head: float = 10.0) -> Track:
    joints = np.array(path)[:, None]
    return Track(np.arange(len(path)), joints, np.full(len(path), head))


def test_a_straight_line_at_even_speed_is_met() -> None:
    found = measure([track([(3.0 * k, 7.0 - k) for k in range(6)])], 2)
    assert (found.joints, found.measured) == (2, 2)
    assert (found.median_px, found.median, found.near) == (0.0, 0.0, 1.0)


def test_a_corner_is_missed_by_half_of_what_it_turns() -> None:
    found = measure([track([(0, 0), (8, 6), (0, 0)], head=8.0)], 1)
    assert (found.median_px, found.median, found.near) == (10.0, 1.25, 0.0)
    nowhere = measure([track([(0, 0), (8, 6), (0, 0)], head=np.nan)], 1)
    assert (nowhere.joints, nowhere.measured, nowhere.median, nowhere.near) == (1, 0, None, None)
    assert measure([], 1).median_px is None


def test_tracks_come_from_labelled_frames_by_id() -> None:
    def frame(k: int, *people: tuple[int, float]) -> Frame:
        rows = (
            Person(track=t, box=(0, 0, 9, 9), head=(0, 0, 3, 4), joints=((x, 0.0), *(None,) * 14))
            for t, x in people
        )
        return Frame(file=f"{k}.jpg", id=k, labelled=k < 3, people=tuple(rows))

    frames = (frame(0, (1, 0), (2, 50)), frame(1, (2, 54), (1, 1)), frame(2, (1, 4)), frame(3))
    clip = Sequence(name="a", width=9, height=9, motion="a", frames=frames)
    split = Annotations(dataset="toy", split="train", root=".", sequences=(clip,))
    (found,) = straightness(split, [1])
    assert (found.joints, found.median_px) == (1, 1.0)  # 1 lies 1 px from the middle of 0 and 4
    assert found.median == pytest.approx(1 / 3, abs=1e-4)  # a head of 0.6 x 5 px


@pytest.mark.skipif(not BONN.is_file(), reason="no shared material")
@pytest.mark.parametrize(
    ("gap", "joints", "median", "p95", "near"),
    [
        (1, 119_191, 0.057, 0.27, 0.9884),
        (2, 113_517, 0.090, 0.43, 0.9647),
        (4, 102_559, 0.153, 0.89, 0.8629),
    ],
)
def test_sixty_real_videos(gap: int, joints: int, median: float, p95: float, near: float) -> None:
    """The figures beside the file, made by other code."""
    found = measure(bonn_tracks(), gap)
    assert found.measured == joints
    assert found.median == pytest.approx(median, abs=6e-4)
    assert found.p95 == pytest.approx(p95, abs=6e-3)
    assert found.near == pytest.approx(near, abs=6e-5)


def bonn_tracks() -> list[Track]:
    data = np.load(BONN)
    x1, y1, x2, y2 = data["head_rect"].T.astype(np.float64)
    heads = 0.6 * np.hypot(x2 - x1, y2 - y1)
    people = np.stack([data["video"], data["person"]], axis=1)
    found = []
    for person in np.unique(people, axis=0):
        rows = np.flatnonzero((people == person).all(axis=1))
        rows = rows[np.argsort(data["frame"][rows])]
        points = data["keypoints"][rows].astype(np.float64)
        found.append(Track(data["frame"][rows].astype(np.int64), points, heads[rows]))
    return found
