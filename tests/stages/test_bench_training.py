import json
from pathlib import Path

import pytest
import torch

from tips.config import ConfigError, load_study
from tips.opened import EXPERIMENTS
from tips.ops import native
from tips.stages import bench_training


@pytest.mark.usefixtures("built")
def test_the_record_and_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = load_study("smoke", EXPERIMENTS).variant("tips").experiment
    monkeypatch.setattr(bench_training, "load_experiment", lambda _: small)
    out, report = tmp_path / "step.json", tmp_path / "step.md"
    bench_training.run(out, report, pairs=1, paper_pairs=1)
    rows = json.loads(out.read_text())
    assert [(row["model"], row["threads"]) for row in rows] == [
        (name, threads) for threads in (1, 2) for name in ("desk full model", "paper-size head")
    ]
    for row in rows:
        assert row["ratio"] == pytest.approx(
            row["seconds"]["reference"] / row["seconds"]["ours"], rel=1e-2
        )
        assert row["seconds"]["ours"] > 0
    assert report.read_text().count("\n| ") == 2 + len(rows)  # header, rule and every row
    assert native.served()  # given back after the steps without kernels


def test_a_step_moves_what_is_trained_and_nothing_else() -> None:
    experiment = load_study("smoke", EXPERIMENTS).variant("tips").experiment
    model = bench_training._model(experiment, given=True)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    bench_training.training_step(experiment, model, 2)()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert any(name.startswith("head.") for name in moved)
    assert any(name.startswith("synthesizer.") for name in moved)
    assert not any(name.startswith("backbone.") for name in moved)


def test_without_a_kernel_there_is_nothing_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "served", frozenset)
    with pytest.raises(ConfigError, match="no kernel is built; run `make kernels`"):
        bench_training.run()
