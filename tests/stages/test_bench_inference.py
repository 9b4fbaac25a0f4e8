import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tips.config import ConfigError, load_experiment, load_scale, load_study
from tips.models.cost import Macs
from tips.ops import native
from tips.reporting.bench_inference import page
from tips.stages import bench_inference
from tips.tables.paper_size import RELEASE
from tips.tables.published import load_tables
from tips.tables.sources import Inference

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
        frames = row.mac_ratio - row.heads_mac_ratio  # and what makes heat maps of one of them
        assert frames == pytest.approx(9 if row.variant == "tips" else 5, rel=0.01)
        assert row.backbone.fastest == row.any_precision.fastest
        assert row.backbone.ratio > 0
    text = report.read_text()
    assert ("bf16 windows: not measured: no AMX." in text) is not amx
    assert text == page(raw, load_tables(EXPERIMENTS / "tables.yaml", RELEASE))
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `tips")]
    papers = [row[8].strip() for row in rows if row[2].strip() == "fp32"]
    assert papers == ["49.5", "60.4"] * 2
    assert rows[0][13].strip() == "at most 6.5"
    assert rows[0][14].strip() in ("kept", "not kept")


def multiple(ratio: float, fastest: str) -> dict[str, Any]:
    return {"fastest": fastest, "ratio": ratio, "quartiles": [ratio, ratio]}


def window(variant: str, precision: str, fp32: float, fastest: float) -> dict[str, Any]:
    own = fp32 if precision == "fp32" else fastest
    return {
        "threads": 1,
        "variant": variant,
        "precision": precision,
        "seconds": 3.0,
        "quartiles": [3.0, 3.0],
        "same_precision": multiple(own, f"{precision}, contiguous"),
        "fp32": multiple(fp32, "fp32, contiguous"),
        "any_precision": multiple(fastest, "bf16, contiguous"),
        "backbone": multiple(4.25, "bf16, contiguous"),
        "mac_ratio": 7.0,
        "heads_mac_ratio": 2.0,
    }


def record(*networks: dict[str, Any], amx: bool) -> dict[str, Any]:
    seconds = {(1, "fp32"): 0.92, (1, "bf16"): 0.4, (2, "fp32"): 1.0, (2, "bf16"): 0.5}
    passes = [
        {"threads": threads, "name": f"{precision}, {layout}", "seconds": found * slower}
        | {"quartiles": [found, found]}
        for (threads, precision), found in seconds.items()
        for layout, slower in (("channels last", 1.5), ("contiguous", 1.0))
    ]
    machine = {"crop": [384, 288], "runs": 7, "kernels": "cpp", "cpu": "a test"}
    return machine | {"amx": amx, "passes": passes, "networks": networks}


def test_a_promise_is_of_the_fastest_pass_whatever_its_precision() -> None:
    tables = load_tables(EXPERIMENTS / "tables.yaml", RELEASE)
    found = record(
        window("tips-without-vfit", "fp32", 6.31, 14.5),
        window("tips-without-vfit", "bf16", 2.3, 4.8),
        window("tips-without-vfit", "bf16", 4.8, 9.6),
        window("tips-without-vfit", "bf16", 4.81, 9.6),
        window("tips", "fp32", 9.0, 20.0),
        amx=True,
    )
    text = page(found, tables)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `tips")
    ]
    assert [row[-5:-3] for row in rows] == [["4.25", "6.25"]] * 5
    assert [row[-3:] for row in rows] == [
        ["at most 6.5", "not kept", "kept"],
        ["at most 4.8", "kept", "kept"],
        ["at most 4.8", "not kept", "kept"],
        ["at most 4.8", "not kept", "not kept"],
        ["", "", ""],
    ]
    # 0.92 / 0.4 with one thread, 1.0 / 0.5 with two.
    assert (
        "a bf16 pass is at least 2.0 times as fast as an fp32 one here. `tips-without-vfit`'s "
        "window in fp32, 7.0 passes by multiply-adds, is 14.0 bf16 passes or more by them; 6.5 "
        "are promised." in text
    )
    without = page(record(found["networks"][0], amx=False), tables)
    assert "at least" not in without
    assert "bf16 windows: not measured: no AMX." in without


def macs(backbone: int, heads: int) -> Macs:
    return Macs({"convolution": backbone, "linear": heads}, {"backbone": backbone})


def test_a_ratio_is_of_one_round() -> None:
    times = {"fp32, a": [1.0, 2.0, 4.0], "fp32, b": [3.0, 3.0, 3.0], "bf16, a": [9.0, 9.0, 9.0]}
    found = times | {
        "tips, fp32": [6.0, 12.0, 24.0],
        "tips, fp32, backbone": [5.0, 10.0, 20.0],
    }
    passes = dict.fromkeys(times, lambda: None)
    rows = bench_inference._networks(
        found,
        passes,
        {"tips, fp32": lambda: None},
        {"tips": macs(22, 8), "hrnet": macs(3, 0)},
    )
    same = rows[0]["same_precision"]
    assert same == {"fastest": "fp32, a", "ratio": 6.0, "quartiles": [6.0, 6.0]}
    assert (rows[0]["seconds"], rows[0]["mac_ratio"]) == (12.0, 10.0)
    assert (rows[0]["backbone"]["ratio"], rows[0]["heads_mac_ratio"]) == (5.0, 2.667)


def test_rounds_take_turns_and_drop_the_first() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "ab"}
    found = bench_inference.rounds(calls, 2)
    assert order == list("ababab")
    assert {name: len(times) for name, times in found.items()} == {"a": 2, "b": 2}


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


def test_mistakes_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "served", lambda: frozenset({"cpu"}))
    with pytest.raises(ConfigError, match="--runs must be at least 1; got 0"):
        bench_inference.run(runs=0)
    monkeypatch.setattr(native, "served", frozenset)
    with pytest.raises(ConfigError, match="no kernel is built; run `make kernels`"):
        bench_inference.run()
