import numpy as np
import pytest

from tips.config import Detector
from tips.data.boxes import detected_boxes, true_boxes
from tips.records import Annotations, Detection, Frame, Person, Sequence

SETTINGS = Detector(jitter=0.06, miss=0.05, false_per_frame=0.3, seed=0)


def person(track: int) -> Person:
    box = (10.0 + track, 20.0, 30.0, 60.0)
    return Person(track=track, box=box, head=None, joints=((1.0, 2.0),) * 15)


def annotations(names: list[str], frames: int = 40, people: int = 3) -> Annotations:
    return Annotations(
        dataset="toy",
        split="val",
        root=".",
        sequences=tuple(
            Sequence(
                name=name,
                width=320,
                height=240,
                motion="walk",
                frames=tuple(
                    Frame(
                        file=f"{k}.jpg",
                        id=k,
                        labelled=k % 4 != 3,
                        people=tuple(person(t) for t in range(people)),
                    )
                    for k in range(frames)
                ),
            )
            for name in names
        ),
    )


def of(found: tuple[Detection, ...], sequence: str) -> list[Detection]:
    return [box for box in found if box.sequence == sequence]


def test_true_boxes_are_the_labelled_people() -> None:
    found = true_boxes(annotations(["a"], frames=4))
    assert found.source == "gt"
    assert [(b.frame, b.track, b.score) for b in found.boxes] == [
        (k, t, 1.0) for k in range(3) for t in range(3)
    ]
    assert found.boxes[4].box == person(1).box


def test_a_frame_draws_from_its_own_seed() -> None:
    every = detected_boxes(annotations(["a", "b"]), SETTINGS).boxes
    assert every == detected_boxes(annotations(["a", "b"]), SETTINGS).boxes
    assert of(every, "b") == list(detected_boxes(annotations(["b"]), SETTINGS).boxes)
    shorter = detected_boxes(annotations(["b"], frames=10), SETTINGS).boxes
    assert [box for box in of(every, "b") if box.frame < 10] == list(shorter)
    other = detected_boxes(annotations(["b"]), SETTINGS.model_copy(update={"seed": 1})).boxes
    assert tuple(of(every, "b")) != other
    # Two frames with the same people do not draw the same boxes.
    assert len({box.box for box in of(every, "b")}) == len(of(every, "b"))


def test_a_detected_box_belongs_to_nobody() -> None:
    found = detected_boxes(annotations(["a"]), SETTINGS)
    assert found.source == "detected"
    assert {box.track for box in found.boxes} == {None}
    assert all(0 < box.score < 1 for box in found.boxes)
    assert not any(box.frame % 4 == 3 for box in found.boxes)


def test_rates_are_those_of_the_settings() -> None:
    count, labelled = 2000, 1500
    sure = SETTINGS.model_copy(update={"false_per_frame": 0.0})
    found = detected_boxes(annotations(["a"], frames=count), sure).boxes
    assert len(found) / (3 * labelled) == pytest.approx(0.95, abs=0.01)
    boxes = np.array([box.box for box in found])
    assert np.log(boxes[:, 2] / 30).std() == pytest.approx(0.06, abs=0.004)
    assert ((boxes[:, 1] + boxes[:, 3] / 2) / 60).std() == pytest.approx(0.06, abs=0.004)
    blind = SETTINGS.model_copy(update={"miss": 1.0})
    false = detected_boxes(annotations(["a"], frames=count), blind).boxes
    assert len(false) / labelled == pytest.approx(0.3, abs=0.04)
    # Scores know a little: a true box usually beats a false one.
    assert np.mean([b.score for b in found]) > np.mean([b.score for b in false]) + 0.3


def test_a_perfect_detector_returns_the_truth() -> None:
    perfect = Detector(jitter=0, miss=0, false_per_frame=0, seed=3)
    data = annotations(["a"])
    for ours, truth in zip(
        detected_boxes(data, perfect).boxes, true_boxes(data).boxes, strict=True
    ):
        assert ours.box == pytest.approx(truth.box)
