from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from small import changed, size
from torch import Tensor, nn

from tips import skeleton
from tips.build import build_model
from tips.config import Experiment, load_experiment, load_scale
from tips.models.baselines.dsta.network import LIMBS, Dsta, References
from tips.ops.heatmap import decode
from tips.tensors import PoseOutput

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
FILE = EXPERIMENTS / "baselines/dsta.yaml"
CROP, MAP = 64, 16


def experiment(start: str) -> Experiment:
    found = load_experiment(FILE, load_scale("smoke", EXPERIMENTS))
    return found.model_copy(update={"head": found.head.model_copy(update={"start": start})})


def model(start: str = "backbone") -> Dsta:
    """A fresh model on a backbone that says something, with peaks from 0.2 to 0.8."""
    torch.manual_seed(0)
    made = build_model(experiment(start))
    assert isinstance(made, Dsta)
    nn.init.normal_(made.backbone.final_layer.weight, std=0.005)
    nn.init.constant_(made.backbone.final_layer.bias, 0.3)
    return made.eval()


def images() -> Tensor:
    return torch.randn(2, 3, 3, CROP, CROP, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def answer(made: Dsta, window: Tensor) -> PoseOutput:
    output: PoseOutput = made(window, window[:, :0])
    return output


def test_a_fresh_model_says_what_the_backbone_s_maps_show() -> None:
    made = model()
    output = answer(made, images())
    with torch.inference_mode():
        maps = made.backbone.maps(output.F[:, 1])
    assert torch.allclose(output.maps, maps, atol=1e-5)
    joints, scores = decode(output.maps, "quarter")
    found, sure = made.decode(output, "quarter")
    peak = scores > 0
    assert torch.equal(found[peak], joints[peak])
    assert torch.allclose(sure[peak], scores[peak].clamp(0.01, 0.99), atol=1e-6)
    assert ((scores > 0.01) & (scores < 0.99)).sum() > 10


def test_from_scratch_a_fresh_model_says_the_map_s_centre() -> None:
    made = model("scratch")
    found, sure = made.decode(answer(made, images()), "quarter")
    assert torch.equal(found, torch.full((2, 15, 2), (MAP - 1) / 2))
    assert torch.equal(sure, torch.full((2, 15), 0.5))


def test_references_of_a_map_that_is_not_square() -> None:
    maps = torch.zeros(1, 15, 12, 8)
    maps[0, 3, 5, 6] = 0.7
    joints, doubt = References()(maps)
    assert joints[0, 3].tolist() == [6, 5]
    assert torch.sigmoid(doubt[0, 3]).item() == pytest.approx(0.3)
    assert joints[0, 4].tolist() == [3.5, 5.5]


def awake() -> Dsta:
    """A trained-looking copy."""
    made = model()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if not name.startswith("backbone."):
                parameter += 0.1 * torch.randn_like(parameter)
    return made


def moved(change: Callable[[Tensor], None], made: Dsta, tokens: Tensor) -> set[str]:
    """Names of the joints whose decoded tokens change."""
    other = tokens.clone()
    change(other)
    with torch.inference_mode():
        apart = decoded(made, other) - decoded(made, tokens)
    return {skeleton.JOINTS[j] for j in apart.abs().amax(dim=(0, 2)).nonzero()[:, 0]}


def decoded(made: Dsta, tokens: Tensor) -> Tensor:
    return torch.cat([made._in_space(tokens), made._in_time(tokens)], dim=-1)


@pytest.mark.parametrize("limb", LIMBS)
def test_in_frame_t_a_token_reaches_its_own_limb(limb: tuple[str, ...]) -> None:
    made, tokens = awake(), torch.randn(2, 3, 15, 32)

    def change(other: Tensor) -> None:
        other[:, 1, skeleton.INDEX[limb[0]]] += torch.randn(32)

    assert moved(change, made, tokens) == set(limb)


@pytest.mark.parametrize("frame", [0, 2])
def test_in_a_neighbour_a_token_reaches_its_own_joint(frame: int) -> None:
    made, tokens = awake(), torch.randn(2, 3, 15, 32)

    def change(other: Tensor) -> None:
        other[:, frame, 4] += torch.randn(32)

    assert moved(change, made, tokens) == {skeleton.JOINTS[4]}


def test_the_limbs_hold_every_joint_once() -> None:
    assert sorted(name for limb in LIMBS for name in limb) == sorted(skeleton.JOINTS)


def test_a_token_knows_where_in_the_frame_something_is() -> None:
    """What a mean over the frame would not: the same content elsewhere."""
    made = awake()
    F = torch.randn(1, made.backbone.channels, MAP, MAP)
    with torch.inference_mode():
        here, there = made.tokens(F), made.tokens(F.roll(MAP // 2, dims=-1))
    assert (here - there).abs().mean() > 0.05


def test_the_score_falls_with_both_spreads() -> None:
    made = model()
    output = answer(made, images())
    assert output.regressed is not None
    spread = torch.rand_like(output.regressed.spread)
    other = output._replace(regressed=output.regressed._replace(spread=spread))
    joints, scores = made.decode(other, "dark")
    assert torch.equal(joints, output.regressed.joints)
    assert torch.allclose(scores, 1 - (spread[..., 0] + spread[..., 1]) / 2)
    assert scores.min() > 0


def test_parameters_at_paper_size() -> None:
    """63.9 M in Table VIII, 63.6 M of them HRNet's: about 0.3 M; ours are 0.23 M."""
    with torch.device("meta"):
        made = build_model(load_experiment(FILE))
    parts = {name: size(part) for name, part in made.named_children() if name != "backbone"}
    width, joints, planes, cells = 32, 15, 8, 12 * 9  # cells of 96 x 72, halved three times
    norm = 2 * width
    # 48 -> 64 -> 64 -> 120 channels by 3x3 convolutions, a batch norm behind each.
    coarse = 9 * (48 * 64 + 64 * 64 + 64 * planes * joints) + 2 * (64 + 64 + planes * joints)
    read = (planes * cells + 1) * width
    # Queries, keys and values; their output; a hidden layer of twice the width.
    attention = (width + 1) * 3 * width + (width + 1) * width
    hidden = (width + 1) * 2 * width + (2 * width + 1) * width
    decoder = 4 * (2 * norm + attention + hidden) + norm
    assert parts == {
        "start": 0,
        "tokens": coarse + read + joints * width,
        "references": 0,
        "place": (5 + 1) * width,
        "spatial": decoder,
        "temporal": decoder,
        "mean": 2 + 1,
        "coordinate": norm + (width + 1) * 2,
        "spread": norm + (width + 1) * 2,
    }
    moments = 3 * width
    assert sum(parts.values()) + moments == size(made) - size(made.backbone) == 231_319


def test_a_width_that_its_heads_do_not_share_is_refused() -> None:
    with pytest.raises(
        ValidationError, match="has 8 attention heads; set width to a multiple of 8"
    ):
        changed(experiment("backbone"), width=36)
