from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tips.build import build_model
from tips.config import ConfigError, Experiment, load_experiment, load_scale
from tips.models.baselines.tdmi.network import Gate, StageDifference, Tdmi

EXPERIMENTS = Path(__file__).parents[4] / "experiments"


def read(name: str) -> Experiment:
    return load_experiment(
        EXPERIMENTS / "baselines" / f"{name}.yaml", load_scale("smoke", EXPERIMENTS)
    )


def small(name: str = "tdmi") -> Tdmi:
    torch.manual_seed(0)
    model = build_model(read(name))
    assert isinstance(model, Tdmi)
    return model.eval()


def stages(model: Tdmi, frames: int = 5) -> list[Tensor]:
    widths = model.backbone.stage_channels
    return [torch.randn(2, frames, width, 16, 16) for width in widths]


@pytest.mark.parametrize(("name", "head"), [("tdmi", 1_650_447), ("tdmi-3", 1_466_127)])
def test_size_of_our_reading(name: str, head: int) -> None:
    """Below the 2.6 M that Table VIII implies: TDMI's own sizes are not public."""
    with torch.device("meta"):
        model = build_model(load_experiment(EXPERIMENTS / "baselines" / f"{name}.yaml"))
    parts = {name: part for name, part in model.named_children() if name != "backbone"}
    assert sum(p.numel() for part in parts.values() for p in part.parameters()) == head


def test_a_window_that_stands_still_has_one_motion() -> None:
    """Differences see no content: M is the same whatever the frames show, if they are equal."""
    model = small()
    still = [[stage[:, :1].expand(-1, 5, -1, -1, -1) for stage in stages(model)] for _ in range(2)]
    assert torch.allclose(model.motion(still[0]), model.motion(still[1]), atol=1e-5)
    assert not torch.allclose(model.motion(stages(model)), model.motion(still[0]), atol=1e-2)


def test_reversing_time_changes_the_motion() -> None:
    model = small()
    given = stages(model)
    assert not torch.allclose(
        model.motion(given), model.motion([stage.flip(1) for stage in given]), atol=1e-3
    )


def test_every_stage_counts() -> None:
    model = small()
    given = stages(model)
    whole = model.motion(given)
    for j in range(4):
        other = [torch.randn_like(stage) if i == j else stage for i, stage in enumerate(given)]
        assert not torch.allclose(model.motion(other), whole, atol=1e-3)


def test_differences_are_of_consecutive_frames() -> None:
    part = StageDifference(4, 3, 4, 1)
    part.blocks = nn.Sequential()
    stage = torch.randn(2, 3, 4, 5, 6)
    expected = torch.cat([stage[:, 1] - stage[:, 0], stage[:, 2] - stage[:, 1]], dim=1)
    assert torch.equal(part(stage), expected)


def test_only_another_width_is_narrowed() -> None:
    assert isinstance(StageDifference(8, 3, 8, 1).narrow, nn.Identity)
    assert isinstance(StageDifference(32, 3, 8, 1).narrow, nn.Conv2d)


def test_a_gate_scales_whole_channels() -> None:
    M = torch.rand(3, 6, 4, 5) + 0.1
    factor = Gate(6)(M) / M
    assert torch.allclose(factor, factor[..., :1, :1].expand_as(factor), atol=1e-5)
    assert factor.min() > 0
    assert factor.max() < 1


def test_it_answers_with_useful_and_useless_motion_where_a_loss_wants_them() -> None:
    model = small()
    images = torch.randn(2, 5, 3, 64, 64)
    seen: list[Tensor] = []
    model.useful.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    own = model.train()(images, images[:, :0]).own
    assert torch.allclose(own.useful, model.useful(seen[0]), atol=1e-5)
    assert torch.allclose(own.useless, model.useless(seen[0]), atol=1e-5)
    model.useless.register_forward_hook(lambda *_: pytest.fail("nobody reads it here"))
    assert model.eval()(images, images[:, :0]).own is None


def test_features_are_the_backbones() -> None:
    """The stages come from the pass that gives F, which stays what it is."""
    model = small()
    images = torch.randn(2, 5, 3, 64, 64)
    seen = model.look(images, images[:, :0])
    found = [*seen.stages, seen.F]
    assert torch.equal(found[-1].flatten(0, 1), model.backbone(images.flatten(0, 1)))
    assert [stage.shape[2] for stage in found] == list(model.backbone.stage_channels)
    assert not any(stage.requires_grad for stage in found)


def test_a_backbone_without_stages_is_refused() -> None:
    vit = load_experiment(
        EXPERIMENTS / "full-size" / "tips-vit.yaml", load_scale("smoke", EXPERIMENTS)
    ).backbone
    with pytest.raises(ConfigError, match="backbone vitpose has none, so use hrnet"):
        build_model(read("tdmi").model_copy(update={"backbone": vit}))
