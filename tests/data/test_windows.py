from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tips import skeleton
from tips.config import Crop
from tips.data.augment import NONE, Draw
from tips.data.windows import Stores, WindowSet, collate, normalise, positions, to_device
from tips.instances import Key, labelled_keys
from tips.ops import crop as crops
from tips.records import Annotations, Frame, Person, Sequence

LENGTH, HEIGHT, WIDTH = 5, 96, 128
BOX = (40.0, 20.0, 32.0, 64.0)
CROP = Crop(height=64, width=32)


class Drawn(NamedTuple):
    """A store whose frame k is grey level 40 k + base, with a bright dot on one joint."""

    base: int
    dot: tuple[int, int]

    def __call__(self, sequence: str, frame: int) -> NDArray[np.uint8]:
        image = np.full((HEIGHT, WIDTH, 3), 40 * frame + self.base, np.uint8)
        x, y = self.dot
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
        return image


def joints(**known: tuple[float, float]) -> tuple[tuple[float, float] | None, ...]:
    return tuple(known.get(name) for name in skeleton.JOINTS)


DOT = (48, 40)  # image px, of the left wrist
KEY = Key(
    split="val",
    sequence="a",
    frame=2,
    length=LENGTH,
    box=BOX,
    joints=joints(left_wrist=DOT, right_wrist=(60, 30), nose=(56, 52), left_ankle=(300, 50)),
    track=0,
    score=1.0,
)


def windows(window: tuple[int, ...] = (-2, -1, 0, 1, 2), *, interim: bool = True) -> WindowSet:
    stores = {"val": Stores(Drawn(10, DOT), Drawn(30, DOT) if interim else None)}
    return WindowSet(stores, window, CROP, 4, 1.25, interim=interim)


def levels(images: NDArray[np.uint8]) -> list[int]:
    """The grey level of each image, read at the crop's centre."""
    return [int(image[32, 16, 0]) for image in images]


def test_positions_repeat_the_nearest_frame() -> None:
    assert positions(2, 5, (-2, -1, 0, 1, 2)) == [0, 1, 2, 3, 4]
    assert positions(0, 5, (-2, -1, 0, 1, 2)) == [0, 0, 0, 1, 2]
    assert positions(4, 5, (-1, 0, 1)) == [3, 4, 4]
    assert positions(0, 1, (-1, 0, 1)) == [0, 0, 0]


def test_frames_and_interim_frames_are_in_order() -> None:
    sample = windows()(KEY)
    assert sample.images.shape == (5, 64, 32, 3)
    assert levels(sample.images) == [10, 50, 90, 130, 170]
    assert levels(sample.rough) == [30, 70, 110, 150]
    assert not sample.labels.padded.any()


def test_clip_ends_are_repeated_and_flagged() -> None:
    first = windows()(KEY._replace(frame=0))
    assert levels(first.images) == [10, 10, 10, 50, 90]
    # Nothing moves inside a padded interval, so its interim frame is the frame itself.
    assert levels(first.rough) == [10, 10, 30, 70]
    assert first.labels.padded.tolist() == [True, True, False, False]
    last = windows((-1, 0, 1))(KEY._replace(frame=4))
    assert levels(last.images) == [130, 170, 170]
    assert levels(last.rough) == [150, 170]
    assert last.labels.padded.tolist() == [False, True]


def test_a_single_still_is_its_own_window() -> None:
    sample = windows()(KEY._replace(frame=0, length=1))
    assert sample.labels.padded.all()
    assert levels(sample.images) == [10] * 5
    assert levels(sample.rough) == [10] * 4


def test_without_interim_frames_no_store_is_read() -> None:
    sample = windows(interim=False)(KEY)
    assert sample.rough.shape == (0, 64, 32, 3)
    assert windows((0,))(KEY).rough.shape == (0, 64, 32, 3)


def test_the_key_box_cuts_all_frames_alike() -> None:
    """The dot lies still in the image, so it lies still in all crops of a window."""
    sample = windows()(KEY, Draw(30.0, 0.8, flip=True))
    spots = [
        np.argwhere(image[..., 0] > 230).mean(axis=0) for image in (*sample.images, *sample.rough)
    ]
    assert np.ptp(spots, axis=0) == pytest.approx([0, 0], abs=0.3)
    target = sample.labels.joints[skeleton.INDEX["right_wrist"]]  # mirrored
    assert np.mean(spots, axis=0)[::-1] == pytest.approx(target * 4, abs=0.5)


def test_the_affine_takes_image_px_to_map_px() -> None:
    for chosen in (NONE, Draw(-50.0, 1.3, flip=False), Draw(20.0, 0.9, flip=True)):
        sample = windows()(KEY, chosen)
        wrist = skeleton.INDEX["right_wrist" if chosen.flip else "left_wrist"]
        moved = crops.transform(np.array(DOT, dtype=float), sample.labels.affine)
        assert moved == pytest.approx(sample.labels.joints[wrist], abs=1e-4)


def test_flip_swaps_sides_and_images_together() -> None:
    plain, flipped = windows()(KEY), windows()(KEY, Draw(0.0, 1.0, flip=True))
    assert np.abs(plain.images[:, :, ::-1].astype(int) - flipped.images).max() <= 1
    assert np.abs(plain.rough[:, :, ::-1].astype(int) - flipped.rough).max() <= 1
    mirrored = plain.labels.joints[list(skeleton.MIRROR)]
    weights = plain.labels.weights[list(skeleton.MIRROR)]
    assert np.array_equal(flipped.labels.weights, weights)
    known = weights > 0
    # The crop's columns 0..31 turn about 15.5, in map px about 15.5 / 4.
    assert flipped.labels.joints[known, 0] == pytest.approx(31 / 4 - mirrored[known, 0], abs=1e-5)
    assert flipped.labels.joints[known, 1] == pytest.approx(mirrored[known, 1], abs=1e-5)
    again = windows()(KEY, Draw(0.0, 1.0, flip=True))
    assert all(np.array_equal(a, b) for a, b in zip(again.labels, flipped.labels, strict=True))
    assert np.array_equal(again.images, flipped.images)
    assert np.array_equal(again.rough, flipped.rough)


def test_joints_outside_the_crop_weigh_nothing() -> None:
    sample = windows()(KEY)
    known = {skeleton.JOINTS[j] for j in np.flatnonzero(sample.labels.weights)}
    assert known == {"left_wrist", "right_wrist", "nose"}  # the ankle is labelled, far outside
    assert sample.labels.maps.shape == (15, 16, 8)
    peaks = sample.labels.maps.max(axis=(1, 2))
    assert np.array_equal(peaks > 0, sample.labels.weights > 0)
    for name in known:
        joint = skeleton.INDEX[name]
        y, x = np.unravel_index(sample.labels.maps[joint].argmax(), (16, 8))
        assert (x, y) == pytest.approx(sample.labels.joints[joint], abs=0.5)
        assert peaks[joint] == 1
    assert np.isfinite(sample.labels.joints).all()


@pytest.mark.parametrize(
    ("place", "inside"),
    [((0.01, 0.01), True), ((-0.01, 0.01), False), ((7.01, 0.01), False), ((6.99, 14.99), True)],
)
def test_the_map_ends_at_the_centres_of_its_outer_cells(
    place: tuple[float, float], inside: bool
) -> None:
    x, y = crops.transform(np.array(place), crops.invert(windows()(KEY).labels.affine))
    sample = windows()(KEY._replace(joints=joints(nose=(float(x), float(y)))))
    assert bool(sample.labels.weights[skeleton.INDEX["nose"]]) == inside


def test_a_box_without_labels_gives_empty_maps() -> None:
    sample = windows()(KEY._replace(joints=None))
    assert not sample.labels.maps.any()
    assert not sample.labels.weights.any()


def test_keys_are_the_labelled_people_with_a_joint() -> None:
    def person(track: int, *, known: bool = True) -> Person:
        points = joints(nose=(1, 2)) if known else joints()
        return Person(track=track, box=BOX, head=None, joints=points)

    people = (person(0), person(1, known=False), person(2))
    frames = tuple(Frame(file="x", id=k, labelled=k != 1, people=people) for k in range(3))
    clip = Sequence(name="a", width=9, height=9, motion="walk", frames=frames)
    data = Annotations(dataset="toy", split="val", root=".", sequences=(clip,))
    assert [(key.frame, key.track) for key in labelled_keys(data)] == [
        (0, 0),
        (0, 2),
        (2, 0),
        (2, 2),
    ]
    assert all(key.length == 3 and key.split == "val" for key in labelled_keys(data))


def test_batches_are_normalised_where_the_model_runs() -> None:
    batch = to_device(collate([windows()(KEY), windows()(KEY)]), torch.device("cpu"))
    assert batch.window.images.shape == (2, 5, 3, 64, 32)
    assert batch.window.rough.shape == (2, 4, 3, 64, 32)
    assert batch.target.maps.shape == (2, 15, 16, 8)
    assert batch.target.padded.shape == (2, 4)
    assert batch.affines.shape == (2, 2, 3)
    grey = torch.full((1, 1, 2, 2, 3), 128, dtype=torch.uint8)
    want = (128 / 255 - crops.MEAN) / crops.STD
    assert normalise(grey)[0, 0, :, 0, 0].numpy() == pytest.approx(want, abs=1e-6)
