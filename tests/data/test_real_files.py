"""Real annotated images through readers, windows, targets and decoding, in every file style."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tips import skeleton
from tips.config import Crop, Dataset
from tips.data import posetrack17
from tips.data.augment import Draw
from tips.data.boxes import true_boxes
from tips.data.detections import read_detections
from tips.data.frames import FileFrames
from tips.data.merged import read_merged
from tips.data.posetrack import read_split
from tips.data.windows import Sample, Stores, WindowSet
from tips.evaluation.straightness import straightness
from tips.instances import Key, labelled_keys
from tips.ops import crop as crops
from tips.ops.grouping import agreement, group_parts, normalised_information, usable
from tips.ops.heatmap import decode
from tips.records import Annotations, points_array

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared")) / "samples"
MMPOSE, BONN = SHARED / "mmpose_tests", SHARED / "bonn_posetrack"
VIDEOS = SHARED / "bonn_annotations/bonn_multiperson_posetrack_60videos.npz"
STRIDE = 4

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared material")


def posetrack18() -> Annotations:
    return read_split(MMPOSE / "posetrack18", "annotations", "val", "posetrack18")


def posetrack18_merged() -> Annotations:
    root = MMPOSE / "posetrack18"
    path = root / "annotations/test_posetrack18_val.json"
    return read_merged(path, root, "val", "posetrack18", skeleton.POSETRACK)


def jhmdb() -> Annotations:
    path = MMPOSE / "jhmdb/test_jhmdb_sub1.json"
    return read_merged(path, MMPOSE / "jhmdb", "val", "jhmdb", skeleton.JHMDB, origin=1)


def coco() -> Annotations:
    path = MMPOSE / "coco/test_coco.json"
    return read_merged(path, MMPOSE / "coco", "val", "coco", skeleton.POSETRACK)


def bonn() -> Annotations:
    return read_split(BONN, "annotations_pt18", "val", "bonn")


@pytest.fixture
def bonn_17(tmp_path: Path) -> Annotations:
    """The clip in PoseTrack17's style, under the names of that style."""
    folder = tmp_path / "images/bonn/060470979"
    folder.mkdir(parents=True)
    for k, file in enumerate(sorted((BONN / "images/val/060470979_bonn_test").iterdir())):
        (folder / f"{k + 1:08d}.jpg").symlink_to(file)
    (tmp_path / "annotations_pt17").symlink_to(BONN / "annotations_pt17")
    settings = Dataset(
        kind="posetrack17",
        name="bonn",
        root=None,
        annotations="annotations_pt17",
        frames="files",
        split=None,
        embedded=None,
    )
    return posetrack17.read(tmp_path, settings, "val", "bonn")


def windows_of(
    annotations: Annotations, window: tuple[int, ...] = (0,), mirror: tuple[int, ...] = ()
) -> WindowSet:
    stores = {"val": Stores(FileFrames(Path(annotations.root), annotations), None)}
    crop = Crop(height=384, width=288)
    return WindowSet(
        stores, window, crop, STRIDE, 1.25, interim=False, mirror=mirror or skeleton.MIRROR
    )


def decoded(sample: Sample, mode: str = "dark") -> np.ndarray:
    """The target's joints as decoding finds them, image px; NaN where there is no target."""
    found, _ = decode(torch.from_numpy(sample.labels.maps)[None], mode)  # type: ignore[arg-type]
    points = np.where(sample.labels.weights[:, None] > 0, found[0].numpy(), np.nan)
    return crops.transform(points, crops.invert(sample.labels.affine))


@pytest.mark.parametrize(
    ("read", "people", "joints"),
    [(posetrack18, 14, 182), (posetrack18_merged, 14, 182), (jhmdb, 3, 45), (coco, 12, 146)],
)
def test_joints_come_back_through_window_target_and_decoding(
    read: Callable[[], Annotations], people: int, joints: int
) -> None:
    annotations = read()
    found = labelled_keys(annotations)
    assert len(found) == people
    total = 0
    windows = windows_of(annotations)
    for key in found:
        sample = windows(key)
        assert sample.images.shape == (1, 384, 288, 3)
        assert sample.images.std() > 10  # the picture lies under the box
        assert key.joints is not None
        truth, zoom = points_array(key.joints), np.sqrt(np.linalg.det(sample.labels.affine[:, :2]))
        away = np.linalg.norm(decoded(sample) - truth, axis=1) * zoom
        total += int(np.isfinite(truth[:, 0]).sum())
        # Targets are drawn on rounded cells.
        assert np.nanmax(away) < np.hypot(0.5, 0.5) + 0.02
    assert total == joints


def test_both_files_of_posetrack18_hold_the_same_people() -> None:
    one, other = posetrack18(), posetrack18_merged()
    both = [
        {s.name: [p.points for p in s.frames[0].people] for s in split.sequences}
        for split in (one, other)
    ]
    assert both[0].keys() == both[1].keys()
    for name, people in both[0].items():
        np.testing.assert_array_equal(people, both[1][name])


def test_a_mirrored_jhmdb_window_swaps_jhmdb_s_sides() -> None:
    annotations = jhmdb()
    key = labelled_keys(annotations)[0]
    windows = windows_of(annotations, mirror=skeleton.JHMDB.mirror)
    plain, flipped = windows(key), windows(key, Draw(0.0, 1.0, True))
    names = skeleton.JHMDB.joints
    wrists = [names.index(name) for name in ("left_wrist", "right_wrist")]
    for joint, partner in (wrists, wrists[::-1], [names.index("belly")] * 2):
        x = (288 - 1) / STRIDE - plain.labels.joints[partner, 0]
        y = plain.labels.joints[partner, 1]
        assert flipped.labels.joints[joint] == pytest.approx((x, y), abs=1e-3)


def test_real_detector_boxes_meet_the_people() -> None:
    annotations = posetrack18()
    path = MMPOSE / "posetrack18/annotations/test_posetrack18_human_detections.json"
    every, sure = (read_detections(path, annotations, score).boxes for score in (0.0, 0.2))
    assert len(every) == 278
    assert min(box.score for box in sure) >= 0.2
    for true in true_boxes(annotations).boxes:
        near = [box for box in sure if box.sequence == true.sequence]
        assert max(overlap(true.box, box.box) for box in near) > 0.45
    windows = windows_of(annotations, (-1, 0, 1))  # one frame a clip: neighbours repeat it
    box = sure[0]
    sample = windows(Key("val", box.sequence, box.frame, 1, box.box, None, -1, box.score))
    assert sample.labels.padded.all()
    assert not sample.labels.weights.any()


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union."""
    sides = [min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i]) for i in (0, 1)]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def test_coco_results_of_images_alone() -> None:
    path = MMPOSE / "coco/test_coco_det_AP_H_56.json"
    found = read_detections(path, coco(), 0.9)
    assert {box.sequence for box in found.boxes} <= {s.name for s in coco().sequences}
    assert len(found.boxes) > 5


def test_the_clip_is_the_same_in_both_styles(bonn_17: Annotations) -> None:
    (one,), (other,) = bonn_17.sequences, bonn().sequences
    assert (one.width, one.height, len(one.frames)) == (other.width, other.height, 41)
    for a, b in zip(one.frames, other.frames, strict=True):
        assert a.labelled == b.labelled
        assert [p.track for p in a.people] == [p.track for p in b.people]
        for p, q in zip(a.people, b.people, strict=True):
            np.testing.assert_allclose(p.points, q.points, atol=2e-3)
            np.testing.assert_allclose(p.box, q.box, atol=2e-3)
    windows = [windows_of(split, (-2, -1, 0, 1, 2)) for split in (bonn_17, bonn())]
    pairs = list(zip(labelled_keys(bonn_17), labelled_keys(bonn()), strict=True))
    assert len(pairs) == 164
    for pair in pairs[::40]:
        samples = [make(key) for make, key in zip(windows, pair, strict=True)]
        moved = np.abs(samples[0].images.astype(int) - samples[1].images.astype(int))
        assert moved.mean() < 0.01  # boxes differ in the last digit
        assert samples[0].images.shape[0] == 5
        np.testing.assert_allclose(decoded(samples[0]), decoded(samples[1]), atol=0.01)


def test_joints_of_the_clip_move_almost_straight() -> None:
    one, two = straightness(bonn(), [1, 4])
    assert one.measured == 39 * 4 * 14
    assert one.median is not None
    assert two.median is not None
    assert one.median < 0.1 < two.median
    assert one.near is not None
    assert one.near > 0.95


@pytest.mark.skipif(not VIDEOS.is_file(), reason="no shared material")
@pytest.mark.slow
def test_sixty_videos_group_by_limb() -> None:
    data = np.load(VIDEOS)
    joints = data["keypoints"].astype(np.float64)
    seen = np.isfinite(joints[..., 0])
    joints = joints[seen.sum(axis=1) > 5]
    low, high = np.nanmin(joints, axis=1), np.nanmax(joints, axis=1)
    whole = (high - low).min(axis=1) > 0
    boxes = np.concatenate([low, high - low], axis=1)[whole]
    matrix = normalised_information(joints[whole], boxes)
    nose = skeleton.INDEX["nose"]
    assert set(usable(matrix)) == set(range(15)) - {nose}  # never labelled there
    for count, least in ((3, 0.5), (5, 0.3), (8, 0.4)):
        groups = group_parts(matrix, count)
        assert sorted(joint for group in groups for joint in group) == list(range(15))
        mirrored = [{skeleton.MIRROR[joint] for joint in group} for group in groups]
        assert all(set(group) in mirrored for group in groups)
        # Bonn's people group by whole limbs: less like Table V than MPII's do.
        assert least < agreement(groups, tuple(skeleton.GROUPS[count].values())) < 1
