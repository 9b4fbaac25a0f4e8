from collections.abc import Callable

import numpy as np
import pytest

from tips import skeleton
from tips.ops.image import read_image
from tips.records import Annotations, Frame, Person, RecordError, Sequence, read_json, write
from tips.stages import group


def person(joints: np.ndarray) -> Person:
    points = tuple(None if np.isnan(p).any() else (float(p[0]), float(p[1])) for p in joints)
    return Person(track=0, box=(10, 20, 60, 70), head=None, joints=points)


def annotate(paths: object, people: int) -> None:
    rng = np.random.default_rng(0)
    frames = []
    for k in range(people):
        joints = np.empty((15, 2))
        for members in skeleton.GROUPS[5].values():
            joints[list(members)] = 40 + rng.normal(0, 10, 2) + rng.normal(0, 1, (len(members), 2))
        joints[skeleton.INDEX["nose"]] = np.nan
        frames.append(Frame(file="x.jpg", id=k, labelled=k % 3 > 0, people=(person(joints),)))
    clip = Sequence(name="clip", width=9, height=9, motion="walk", frames=tuple(frames))
    record = Annotations(dataset="toy", split="train", root=".", sequences=(clip,))
    write(record, paths.annotations("train"))


def test_groups_are_written_and_drawn(make_study: Callable) -> None:
    _, paths = make_study(group)
    annotate(paths, 900)
    group.run(5, "test")
    made = read_json(paths.groups("5"))
    assert made["ari"] == 1.0
    assert made["samples"] == 600
    assert sorted(joint for members in made["groups"] for joint in members) == list(range(15))
    assert made["names"][0][-1] == "head_top"
    assert made["matrix"][skeleton.INDEX["nose"]][0] is None
    picture = paths.groups("5").with_suffix(".png")
    assert read_image(picture).std() > 20
    first = picture.read_bytes(), paths.groups("5").read_bytes()
    group.run(5, "test")
    assert (picture.read_bytes(), paths.groups("5").read_bytes()) == first
    group.run(4, "test")
    assert read_json(paths.groups("4"))["ari"] is None


def test_too_few_people(make_study: Callable) -> None:
    _, paths = make_study(group)
    annotate(paths, 15)
    with pytest.raises(ValueError, match="20 people or more"):
        group.run(5, "test")
    annotate(paths, 0)
    with pytest.raises(RecordError, match="labels no person"):
        group.run(5, "test")
    assert not paths.groups("5").exists()
