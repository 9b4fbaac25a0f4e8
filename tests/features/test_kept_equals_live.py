"""A training and a prediction on kept features are those that run the backbone themselves."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_study
import torch
import yaml
from torch import Tensor

from tips import kept
from tips.config import ConfigError
from tips.inference.validation import predict
from tips.models.interfaces import PoseModel
from tips.opened import Opened, open_study
from tips.stages import features, train
from tips.training.job import build_job
from tips.training.loop import fit, seen_terms
from tips.training.state import StateFolder

CPU = torch.device("cpu")
ROWS = ["tips", "dcpose", "tdmi", "window-9", "tips-ms"]
BACKBONES = ["hrnet", "hrnet-ms"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A study whose backbones are trained, as the working folder."""
    folder = tmp_path_factory.mktemp("kept")
    tiny_study.write(folder)
    file = folder / "experiments/scales/tiny.yaml"
    scale = yaml.safe_load(file.read_text())
    scale["rows"] = [*BACKBONES, *ROWS]
    scale["experiment"]["training"] |= {"batch": 4, "epochs": 2, "windows_per_epoch": 12}
    first = f"results/tiny-{tiny_study.ROOT}/runs/{tiny_study.ROOT}/hrnet/seed-0/checkpoint.pt"
    scale["variants"] = {
        "hrnet-ms": {"backbone": {"weights": first}},
        "tdmi": {"width": 8},
        "dcpose": {"width": 16, "blocks": 1},
    }
    file.write_text(yaml.safe_dump(scale))
    with tiny_study.prepared(folder):
        for name in BACKBONES:
            train.run(name, 0, tiny_study.SCALE, tiny_study.ROOT)
        yield open_study(tiny_study.SCALE, tiny_study.ROOT)


def trained(opened: Opened, row: str, folder: Path, *, live: bool) -> PoseModel:
    job = build_job(opened, opened.study.variant(row), 0, CPU, live=live)
    assert (job.terms is seen_terms) == (not live and row != "tdmi")
    state = StateFolder(folder, "key")
    with state.locked():
        fit(job, state)
    assert isinstance(job.model, PoseModel)
    return job.model


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("row", ROWS)
def test_kept_features_change_no_bit(opened: Opened, row: str, tmp_path: Path) -> None:
    models = [trained(opened, row, tmp_path / str(live), live=live) for live in (False, True)]
    assert same(*(model.state_dict() for model in models))
    journals = [(tmp_path / str(live) / "journal.jsonl").read_text() for live in (False, True)]
    assert journals[0] == journals[1]
    variant = opened.study.variant(row)
    boxes = opened.study.scale.evaluation.boxes
    poses = [
        predict(opened, variant, 0, boxes, models[0].eval(), CPU, live=live)
        for live in (False, True)
    ]
    assert poses[0] == poses[1]


def test_the_comparison_can_fail(opened: Opened, tmp_path: Path) -> None:
    """Other features give other weights."""
    first = trained(opened, "dcpose", tmp_path / "first", live=False).state_dict()
    wanted = kept.of_training(opened.study, "dcpose", 0)[0]
    folder = opened.paths.features(*wanted.name).with_suffix("")
    array = torch.from_numpy(np.load(folder / "+0.npy", mmap_mode="r+"))
    before = array.clone()
    array.zero_()
    other = trained(opened, "dcpose", tmp_path / "other", live=False).state_dict()
    array.copy_(before)
    assert not same(first, other)


def test_deleted_and_damaged_features_are_made_again(opened: Opened, tmp_path: Path) -> None:
    first = trained(opened, "dcpose", tmp_path / "first", live=False).state_dict()
    wanted = kept.of_training(opened.study, "dcpose", 0)[0]
    record = opened.paths.features(*wanted.name)
    for spoil in (
        record.unlink,
        (record.with_suffix("") / "-1.npy").unlink,
        lambda: (record.with_suffix("") / "+0.npy").write_bytes(b"half"),
        lambda: record.write_text("{}"),
    ):
        spoil()
        again = trained(opened, "dcpose", tmp_path / str(id(spoil)), live=False).state_dict()
        assert same(first, again)


def test_features_of_another_backbone_are_not_taken(opened: Opened) -> None:
    wanted = kept.of_training(opened.study, "dcpose", 0)[0]
    features.run(wanted.part, wanted.key, wanted.source, tiny_study.SCALE, tiny_study.ROOT)
    record = opened.paths.features(*wanted.name)
    before = record.read_text()
    checkpoint = opened.paths.checkpoint("hrnet", "0")
    weights = checkpoint.read_bytes()
    state = torch.load(checkpoint, weights_only=True)
    state["model"]["backbone.final_layer.bias"] += 1
    torch.save(state, checkpoint)
    features.run(wanted.part, wanted.key, wanted.source, tiny_study.SCALE, tiny_study.ROOT)
    assert record.read_text() != before
    checkpoint.write_bytes(weights)


def test_unknown_features_are_one_line(opened: Opened) -> None:
    with pytest.raises(ConfigError, match="keeps no features train-7 abc frames"):
        features.run("train-7", "abc", "frames", tiny_study.SCALE, tiny_study.ROOT)


def test_a_seed_that_the_study_does_not_plan_runs_live(opened: Opened) -> None:
    assert kept.of_training(opened.study, "tips", 5) == []
