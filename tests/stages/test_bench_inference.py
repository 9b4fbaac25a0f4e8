import json
import statistics
from pathlib import Path

import pytest
import torch

from tips.config import ConfigError, load_experiment, load_scale, load_study
from tips.models.backbones.hrnet import HRNet
from tips.ops import deform_attn
from tips.reporting.bench_inference import page
from tips.reporting.networks import RELEASE
from tips.reporting.published import load_tables
from tips.reporting.sources import Inference
from tips.stages import bench_inference

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FILES = {
    "hrnet": "baselines/hrnet.yaml",
    "tips": "tips.yaml",
    "tips-without-vfit": "ablation/tips-without-vfit.yaml",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks at smoke size, and a process that is left as it was."""
    smoke = load_scale("smoke", EXPERIMENTS)
    study = load_study("paper", EXPERIMENTS, "none")
    for name, file in FILES.items():
        experiment = load_experiment(EXPERIMENTS / file, smoke)
        study.variants[name] = study.variants[name]._replace(experiment=experiment)
    monkeypatch.setattr(bench_inference, "load_study", lambda *_, **__: study)
    monkeypatch.setattr(bench_inference, "keep_freed_memory", lambda: False)
    monkeypatch.setattr(bench_inference, "EXPERIMENTS", EXPERIMENTS)


@pytest.mark.usefixtures("built", "small")
@pytest.mark.parametrize("amx", [False, True])
def test_the_record_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, amx: bool
) -> None:
    flags = frozenset({"amx_bf16"} if amx else ())
    monkeypatch.setattr(bench_inference, "cpu_flags", lambda: flags)
    out, report = tmp_path / "inference.json", tmp_path / "inference.md"
    bench_inference.run(out, report, runs=3)
    raw = json.loads(out.read_text())
    found = Inference.model_validate(raw)
    assert [one.threads for one in found.passes] == [1] * 4 + [2] * 4
    precisions = ("fp32", "bf16") if amx else ("fp32",)
    assert [(row.threads, row.variant, row.precision) for row in found.networks] == [
        (threads, name, precision)
        for threads in (1, 2)
        for name in bench_inference.NETWORKS
        for precision in precisions
    ]
    for row in found.networks:
        times = {one.name: one.seconds for one in found.passes if one.threads == row.threads}
        assert row.same_precision.fastest.startswith(row.precision)
        assert row.fp32.fastest.startswith("fp32")
        assert times[row.any_precision.fastest] == min(times.values())
        low, high = row.same_precision.quartiles
        assert low <= row.same_precision.ratio <= high
        assert row.mac_ratio > 5  # five passes and a head
    text = report.read_text()
    assert ("bf16 windows: not measured: no AMX." in text) is not amx
    assert text == page(raw, load_tables(EXPERIMENTS / "tables.yaml", RELEASE))
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `tips")]
    papers = [row[9].strip() for row in rows if row[2].strip() == "fp32"]
    assert papers == ["49.5", "60.4"] * 2
    assert rows[0][7].strip() == "at most 6.5"


def test_a_ratio_is_of_one_round() -> None:
    times = {"fp32, a": [1.0, 2.0, 4.0], "fp32, b": [3.0, 3.0, 3.0], "bf16, a": [9.0, 9.0, 9.0]}
    found = times | {"tips, fp32": [6.0, 12.0, 24.0]}
    passes = dict.fromkeys(times, lambda: None)
    rows = bench_inference._networks(
        found, passes, {"tips, fp32": lambda: None}, {"tips": 30, "hrnet": 3}
    )
    same = rows[0]["same_precision"]
    assert same == {"fastest": "fp32, a", "ratio": 6.0, "quartiles": [6.0, 6.0]}
    assert (rows[0]["seconds"], rows[0]["mac_ratio"]) == (12.0, 10.0)


def test_rounds_take_turns_and_drop_the_first() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "ab"}
    found = bench_inference.rounds(calls, 2)
    assert order == list("ababab")
    assert {name: len(times) for name, times in found.items()} == {"a": 2, "b": 2}
    assert all(statistics.median(times) >= 0 for times in found.values())


@pytest.mark.usefixtures("small")
def test_every_pass_computes_the_same_maps() -> None:
    experiment = bench_inference.load_study("paper").variant("hrnet").experiment
    with torch.inference_mode():
        found = {key: call() for key, call in bench_inference.single_passes(experiment).items()}
    expected = found["fp32, channels last"]
    assert isinstance(expected, torch.Tensor)
    assert torch.allclose(found["fp32, contiguous"], expected, rtol=1e-4, atol=1e-6)
    for name in ("bf16, channels last", "bf16, contiguous"):
        assert torch.allclose(found[name].float(), expected, rtol=0.1, atol=1e-2)
    assert HRNet.stride == 4


def test_mistakes_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deform_attn, "SERVED", frozenset({"cpu"}))
    with pytest.raises(ConfigError, match="--runs must be at least 1; got 0"):
        bench_inference.run(runs=0)
    monkeypatch.setattr(deform_attn, "SERVED", frozenset())
    with pytest.raises(ConfigError, match="no kernel is built; run `make kernels`"):
        bench_inference.run()
