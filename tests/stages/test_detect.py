import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tips import opened, records
from tips.config import ConfigError, Study, load_scale
from tips.data.boxes import detected_boxes
from tips.ops.image import write_jpeg
from tips.paths import Paths
from tips.records import Annotations, Detections, Frame, Person, RecordError, Sequence
from tips.stages import detect

SMOKE = load_scale("smoke", Path(__file__).parents[2] / "experiments").evaluation
JOINTS = ((5.0, 5.0),) * 15


@pytest.fixture
def run(
    make_study: Callable[..., tuple[Study, Paths]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Detections]:
    """Runs the stage on three frames, the last two labelled, with other settings."""

    def stage(**changes: Any) -> Detections:
        study, paths = make_study(opened, packed=False)
        person = Person(track=4, box=(10, 20, 30, 40), head=None, joints=JOINTS)
        frames = []
        for k in range(3):
            write_jpeg(np.full((96, 128, 3), 90, np.uint8), paths.root / f"{k}.jpg")
            frames.append(Frame(file=f"{k}.jpg", id=k, labelled=k > 0, people=(person,)))
        clip = Sequence(name="c", width=128, height=96, motion="m", frames=tuple(frames))
        split = Annotations(dataset="toy", split="val", root=".", sequences=(clip,))
        records.write(split, paths.annotations("val"))
        settings = SMOKE.model_copy(update=changes)
        monkeypatch.setattr(
            study.scale, "__dict__", study.scale.__dict__ | {"evaluation": settings}
        )
        detect.run("test", device="cpu")
        return records.read(Detections, paths.boxes("detected"))

    return stage


def test_simulated_boxes_are_as_ever(run: Callable[..., Detections]) -> None:
    found = run()
    split = records.read(Annotations, Path("results/test-toy/data/toy/annotations-val.json"))
    assert SMOKE.detector is not None
    assert found == detected_boxes(split, SMOKE.detector)


def test_a_file_of_boxes_lies_below_the_root(run: Callable[..., Detections]) -> None:
    rows = [
        {"image_id": k, "bbox": [1, 2, 3, 4], "score": s} for k, s in ((0, 0.9), (1, 0.5), (2, 0.3))
    ]
    Path("boxes.json").write_text(json.dumps(rows))
    here = {"detector": None, "detections": str(Path("boxes.json").resolve())}
    assert [(b.frame, b.score) for b in run(**here, threshold=0.4).boxes] == [(1, 0.5)]
    with pytest.raises(RecordError, match=r"toy/val_boxes\.json: no such file; put the person"):
        run(detector=None, detections="val_boxes.json")


def test_no_source_is_a_line(run: Callable[..., Detections]) -> None:
    with pytest.raises(ConfigError, match=r"scale test: no person boxes: give evaluation\.detec"):
        run(detector=None)


class Fake(nn.Module):
    """A detector that always sees a person, a faint person and a dog."""

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        assert images[0].shape == (3, 96, 128)
        assert 0.3 < images[0].mean() < 0.4
        boxes = torch.tensor([[1.0, 2, 11, 22], [5, 5, 6, 9], [0, 0, 50, 50]])
        scores = torch.tensor([0.9, 0.1, 0.8])
        return [{"boxes": boxes, "labels": torch.tensor([1, 1, 18]), "scores": scores}]


def test_our_own_detector_keeps_people(
    run: Callable[..., Detections], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "load_detector", lambda path: Fake())
    found = run(detector=None, checkpoint="weights.pth", threshold=0.2)
    assert [(b.sequence, b.frame, b.box) for b in found.boxes] == [
        ("c", 1, (1, 2, 10, 20)),
        ("c", 2, (1, 2, 10, 20)),
    ]
    assert [b.score for b in found.boxes] == pytest.approx([0.9, 0.9])


def test_an_absent_checkpoint_is_a_line(run: Callable[..., Detections]) -> None:
    with pytest.raises(RecordError, match=r"weights\.pth: no such checkpoint; put torchvision's"):
        run(detector=None, checkpoint="weights.pth")
