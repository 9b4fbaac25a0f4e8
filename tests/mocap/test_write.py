import json

import cv2
import numpy as np
import pytest

from tips import skeleton
from tips.mocap import motion, render, write

SPLITS = ("train", "val", "stills")


@pytest.fixture(scope="module")
def renderer(small, bank):
    made = render.Renderer(small, bank)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(renderer, small, motions):
    return write.World(small, motion.read_clips(motions, ("walk", "kick", "run")), renderer)


@pytest.fixture(scope="module")
def root(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    for split in SPLITS:
        for index in range(world.settings.sequences(split)):
            write.write_sequence(world, split, index, folder)
    return folder


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def load(root, kind, split, index):
    return json.loads(
        (root / kind / split / f"{write.sequence_name(split, index)}.json").read_text()
    )


def test_same_seed_gives_the_same_bytes_in_any_order(world, root, tmp_path, small, bank):
    for split in reversed(SPLITS):
        for index in reversed(range(world.settings.sequences(split))):
            write.write_sequence(world, split, index, tmp_path)
    assert files(tmp_path) == files(root)


def test_another_seed_gives_other_pictures(world, root, tmp_path):
    other = world._replace(settings=world.settings.model_copy(update={"seed": 7}))
    write.write_sequence(other, "val", 0, tmp_path)
    for name, content in files(tmp_path).items():
        assert content != files(root)[name]


@pytest.mark.parametrize("split", SPLITS)
def test_annotations_are_posetrack18s(root, small, split):
    count = 0
    for index in range(small.sequences(split)):
        value = load(root, "annotations", split, index)
        assert value["categories"][0]["keypoints"] == list(skeleton.SLOTS_17)
        key = range(99) if split == "stills" else small.key_frames
        ids = {}
        for frame, image in enumerate(value["images"]):
            assert image["is_labeled"] == (frame in key)
            assert image["file_name"].endswith(f"{frame:06d}.jpg")
            assert image["nframes"] == len(value["images"])
            assert image["frame_id"] == image["id"]
            picture = cv2.imread(str(root / image["file_name"]))
            assert picture.shape == (image["height"], image["width"], 3)
            ids[image["id"]] = image
        rows = value["annotations"]
        assert len({row["id"] for row in rows}) == len(rows)
        for row in rows:
            assert ids[row["image_id"]]["is_labeled"]
            points = np.array(row["keypoints"]).reshape(17, 3)
            assert (points[[3, 4]] == 0).all()
            assert set(points[:, 2]) <= {0.0, 1.0}
            assert (points[points[:, 2] == 0] == 0).all()
            assert points[:, 2].sum() >= write.LEAST_JOINTS
            inside = points[points[:, 2] == 1, :2]
            assert (inside > -0.5).all()
            assert (inside < (small.width - 0.5, small.height - 0.5)).all()
            x, y, w, h = row["bbox"]
            assert (inside >= np.array([x, y]) - 3).all()
            assert (inside <= np.array([x + w, y + h]) + 3).all()
            assert all(isinstance(number, int) for number in row["bbox_head"])
            count += 1
    assert count


def test_ids_are_unique_over_the_splits(root, small):
    ids = [
        image["id"]
        for split in SPLITS
        for index in range(small.sequences(split))
        for image in load(root, "annotations", split, index)["images"]
    ]
    assert len(set(ids)) == len(ids)


def test_names_fit_poseval():
    assert write.sequence_name("val", 3) == "300003_mpii_val"
    assert write.sequence_index("val", "300003_mpii_val") == 3


def test_truth_agrees_with_the_annotations(root, small):
    for index in range(small.train):
        truth = load(root, "truth", "train", index)
        labels = load(root, "annotations", "train", index)
        people = {person["track"]: person for person in truth["people"]}
        frames = {image["id"]: k for k, image in enumerate(labels["images"])}
        assert len(truth["degraded"]) == small.frames
        for row in labels["annotations"]:
            joints = people[row["track_id"]]["joints"][frames[row["image_id"]]]
            points = np.array(row["keypoints"]).reshape(17, 3)
            for slot, name in enumerate(skeleton.SLOTS_17):
                if points[slot, 2]:
                    np.testing.assert_allclose(points[slot, :2], joints[skeleton.INDEX[name]])


def test_in_between_joints_lie_between(root, small):
    truth = load(root, "truth", "train", 0)
    for person in truth["people"]:
        joints = np.array(person["joints"])
        step = np.linalg.norm(joints[1:] - joints[:-1], axis=-1)
        for name, times in person["between"].items():
            times = np.array(times)
            assert times.shape == (small.frames - 1, 15, 2)
            s = float(name)
            linear = (1 - s) * joints[:-1] + s * joints[1:]
            assert (np.linalg.norm(times - linear, axis=-1) <= 0.1 * step + 0.1).all()
        visible = np.array(person["visible"])
        assert visible.shape == (small.frames, 15)
        outside = ((joints < -0.5) | (joints > (small.width - 0.5, small.height - 0.5))).any(-1)
        assert not (visible & outside).any()


def test_between_pictures_are_the_clean_moment_halfway(root, small):
    name = write.sequence_name("train", 0)
    names = sorted(p.name for p in (root / "between/train" / name).iterdir())
    assert names == [f"{frame:06d}.jpg" for frame in range(small.frames - 1)]
    assert not (root / "between/stills").exists()


def test_stills_are_blocks_of_unrelated_scenes(root, small):
    sizes = [len(load(root, "annotations", "stills", i)["images"]) for i in range(2)]
    assert sizes == [3, 2]
    truth = load(root, "truth", "stills", 0)
    assert {person["first"] for person in truth["people"]} == {0, 1, 2}
    tracks = [person["track"] for person in truth["people"]]
    assert len(set(tracks)) == len(tracks)
    assert all(len(person["joints"]) == 1 for person in truth["people"])


def test_people_who_are_not_annotated_are_in_ignore_regions(renderer, world, tmp_path):
    settings = world.settings.model_copy(update={"bystanders": 1.0, "train": 4})
    found = 0
    for index in range(4):
        write.write_sequence(world._replace(settings=settings), "train", index, tmp_path)
        value = load(tmp_path, "annotations", "train", index)
        for image in value["images"]:
            if "ignore_regions_x" in image:
                assert image["is_labeled"]
                for xs, ys in zip(
                    image["ignore_regions_x"], image["ignore_regions_y"], strict=True
                ):
                    assert len(xs) == len(ys) >= 3
                    found += 1
    assert found
