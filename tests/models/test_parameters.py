"""Sizes at paper scale, against the budget of Table VIII; nothing is allocated."""

from functools import cache
from pathlib import Path

import pytest
import torch
from small import size

from tips.build import build_criterion, build_model
from tips.config import load_experiment
from tips.models.encoders import build_encoder
from tips.models.interfaces import PoseModel
from tips.models.tips.network import Tips
from tips.models.tips.settings import Settings

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
BACKBONE, LAYER = 63_594_912, 111_840
HEAD_OF_15 = 735  # the paper's ancestors have 17 channels, 833 parameters


@cache
def model(name: str) -> PoseModel:
    experiment = load_experiment(EXPERIMENTS / f"{name}.yaml")
    with torch.device("meta"):
        return build_model(experiment, experiment.groups())


def full() -> Tips:
    built = model("tips")
    assert isinstance(built, Tips)
    return built


def test_backbone_and_head() -> None:
    assert size(full().backbone) == BACKBONE + HEAD_OF_15
    assert size(full()) - size(full().backbone) == 6_415_916
    assert size(model("baselines/hrnet")) == BACKBONE + HEAD_OF_15


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("synthesizer.project", 18_816),
        ("synthesizer.encoder", 4 * LAYER),
        ("fuse.reduce", 96_512),
        ("fuse.blocks", 886_272),
        ("distiller.branches", 5 * 4 * LAYER),
        ("distiller.heads", 1_935),
        ("distiller.aggregate", 1_577_472),
        ("head.project", 22_912),
        ("head.encoder", LAYER),
        ("head.final", 1_935),
        ("coordinate_heads.synthesized", 888_207),
    ],
)
def test_every_part_of_the_budget(part: str, expected: int) -> None:
    assert size(full().get_submodule(part)) == expected


def test_c_real_and_the_point_embedding() -> None:
    heads = full().coordinate_heads
    assert size(heads) - size(heads.get_submodule("synthesized")) == 125_727
    points = full().synthesizer.get_parameter("points")
    assert points.numel() == 128
    assert not points.requires_grad  # with one point it is a constant zero


def test_one_encoder_layer() -> None:
    experiment = load_experiment(EXPERIMENTS / "tips.yaml")
    assert isinstance(experiment, Settings)
    with torch.device("meta"):
        assert size(build_encoder(experiment.head.encoder, 128)) == LAYER


def test_heads_of_the_losses_never_count() -> None:
    experiment = load_experiment(EXPERIMENTS / "tips.yaml")
    with torch.device("meta"):
        criterion = build_criterion(experiment, full())
    assert size(criterion) == 128 * 15 + 15
    assert not any("h_z" in name for name, _ in full().named_parameters())


VFIT = 29_082_065  # parameters of VFIT-B, which the paper's totals include


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("tips", 99.09),
        ("ablation/window-3", 99.05),
        ("ablation/window-7", 99.14),
        ("ablation/window-9", 99.18),
        ("ablation/groups-1", 96.65),
        ("ablation/groups-3", 97.87),
        ("ablation/groups-8", 100.93),
        ("ablation/groups-15", 105.21),
        ("ablation/synthesis-only", 95.28),
    ],
)
def test_totals_with_the_interpolator_of_the_paper(name: str, millions: float) -> None:
    assert (size(model(name)) + VFIT) / 1e6 == pytest.approx(millions, abs=0.006)


def test_points_of_a_trajectory_widen_the_fusion_alone() -> None:
    one, three = full(), model("ablation/points-all")
    assert size(three) - size(one) == (227_584 - 96_512) + 2 * 128


def test_the_capacity_control_is_at_least_as_large_as_the_full_model() -> None:
    assert size(model("controls/concat-wide")) >= size(full())
