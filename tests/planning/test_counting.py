"""Sizes and arithmetic at the paper's size, each beside what is expected; nothing is run."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tips.config import load_experiment, load_scale, load_study
from tips.interim.vfit.sizes import SIZES
from tips.planning.counting import INTERPOLATORS, cost, interpolator_cost, memory, speeds
from tips.planning.subject import subject
from tips.reporting.cost import NOTES
from tips.tables.paper_size import open_networks
from tips.tables.published import load_tables

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
M = 1e6


@cache
def row(name: str) -> dict[str, Any]:
    if name in INTERPOLATORS:
        return interpolator_cost(name)
    experiment = load_study("paper", EXPERIMENTS, "none").variant(name).experiment
    return cost(subject(experiment, "meta"), row("vfit-b"))


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("hrnet", 63_595_745, 0),
        ("vfit-b", 29_082_065, 0),
        ("vfit-s", 7_537_489, 0),
        ("tips-without-vfit", 70.8 * M, 0.002),
        ("tips", 99.1 * M, 0.002),
        ("tips-ms", 105.3 * M, 0.005),
        ("tips-vit", 666.8 * M, 0.002),
    ],
)
def test_parameters(name: str, expected: float, tolerance: float) -> None:
    assert row(name)["params"] == pytest.approx(expected, rel=tolerance, abs=0)
    assert sum(row(name)["params_by_part"].values()) == row(name)["params"]


def test_vit_without_its_position_embedding_is_the_papers() -> None:
    """Table VIII counts ViTPose-H, 630.7 M, without it, neck and head."""
    embedding, neck, head = 24 * 18 * 1280, 9 * 1280 * 48 + 2 * 48, 48 * 15 + 15
    assert row("tips-vit")["params"] - embedding == pytest.approx(666.72 * M, abs=0.01 * M)
    alone = row("vitpose")["params"] - embedding - neck - head
    assert f"{alone:,} parameters" in NOTES["vitpose"]


@pytest.mark.parametrize(
    ("name", "unit", "expected", "tolerance"),
    [
        ("hrnet", "gmac", 35.307, 1e-4),
        ("hrnet", "gimac", 32.88, 1e-3),
        ("tips-without-vfit", "gimac", 230.2, 0.01),
        ("tips-without-vfit", "gmac", 247.1, 0.01),
        ("tips", "gmac", 1521.4, 0.01),
        ("vfit-b", "gmac", 289.258, 0.01),
        ("vfit-s", "gmac", 135.695, 0.01),
    ],
)
def test_arithmetic(name: str, unit: str, expected: float, tolerance: float) -> None:
    assert row(name)[unit] == pytest.approx(expected, rel=tolerance)


def test_layers_alone_are_exactly_the_budget() -> None:
    """What sampling adds is the only difference to counters that know layers only."""
    for name, expected in (("tips-without-vfit", 247.103), ("vfit-b", 289.258)):
        macs = row(name)["macs"]
        assert (sum(macs.values()) - macs["sampling"]) / 1e9 == pytest.approx(expected, abs=1e-3)
    assert row("tips")["gmac_by_part"]["backbone"] == pytest.approx(9 * 35.301, rel=1e-5)
    added = row("tips-ms")["gmac"] - row("tips")["gmac"]
    assert added == pytest.approx(16.0, abs=0.05)


def test_the_interpolator_counts_once_per_interim_frame() -> None:
    full, single = row("tips"), row("vfit-b")
    assert full["interim_frames"] == 4
    assert full["gmac_by_part"]["vfit"] == pytest.approx(4 * single["gmac"])
    assert sum(full["gmac_by_part"].values()) == pytest.approx(full["gmac"])
    assert full["params_by_part"]["vfit"] == single["params"]
    assert row("tips-without-vfit")["gmac_by_part"]["vfit"] == 0
    assert "vfit" not in row("tips-without-vfit")["params_by_part"]


def test_memory_of_a_training_step_exceeds_inference() -> None:
    experiment = load_study("paper", EXPERIMENTS, "none").variant("tips").experiment
    small = experiment.model_copy(
        update={"crop": experiment.crop.model_copy(update={"height": 64, "width": 64})}
    )
    found = memory(subject(small, "meta"))
    assert 0 < found["inference_mib"] < found["checkpointed_mib"] < found["training_mib"]
    assert memory(subject(small, "meta")) == found


def test_three_passes_of_hrnet_are_what_table_viii_s_note_says() -> None:
    one = row("hrnet")["gimac"]
    note = load_tables(EXPERIMENTS / "tables.yaml").table("8").notes[0]
    assert f"{one:.2f} GiMAC each, are {3 * one:.1f}." in note


FOLDERS = {"hrnet": "baselines", "tips-without-vfit": "ablation"}


def test_speed_is_relative_to_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "base", SIZES["tiny"])
    names = ("hrnet", "tips", "tips-without-vfit", "tips-vit")
    networks = open_networks(EXPERIMENTS)._replace(timed=names)
    smoke = load_scale("smoke", EXPERIMENTS)
    for name in names[:3]:
        variant = networks.study.variants[name]
        path = EXPERIMENTS / (f"{name}.yaml" if name == "tips" else f"{FOLDERS[name]}/{name}.yaml")
        networks.study.variants[name] = variant._replace(experiment=load_experiment(path, smoke))
    rows = [{"variant": "hrnet"}, {"variant": "tips", "interim_frames": 4}]
    rows += [{"variant": "tips-without-vfit", "interim_frames": 0}]
    found = {row["variant"]: row for row in speeds(rows, networks, repeats=1)}
    assert set(found) == set(names[:3])  # weights of ViT-H are not made
    assert found["hrnet"]["speed"] == found["hrnet"]["speed_given_frames"] == 1
    assert 0 < found["tips"]["speed"] < found["tips"]["speed_given_frames"]
    without = found["tips-without-vfit"]
    assert without["speed"] == without["speed_given_frames"]


@pytest.mark.parametrize(
    ("name", "own", "coco"),
    [
        ("dcpose", 1_406_208, 1_601_156),
        ("posewarper", 7_345_805, 7_558_605),
        ("fami-pose", 1_058_513, 1_059_379),
    ],
)
def test_heads_with_the_joints_of_the_released_code(name: str, own: int, coco: int) -> None:
    found = row(name)
    assert (found["head"], found["head_coco"]) == (own, coco)
    assert found["params"] == found["head"] + found["params_by_part"]["backbone"]
