from pathlib import Path

import numpy as np
import pytest
import torch

from tips.build import build_generator
from tips.config import ConfigError
from tips.interim.average import generator as average
from tips.interim.flow import generator as flow
from tips.interim.generator import InterimGenerator, interpolate_clip
from tips.interim.vfit import generator as vfit
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.settings import Settings as VfitSettings
from tips.interim.vfit.sizes import SIZES
from tips.ops.image import psnr
from tips.records import RecordError

CPU = torch.device("cpu")


def scene(shift: float, height: int = 144, width: int = 192) -> np.ndarray:
    """A textured disc in front of a still background."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    image = 90 + 30 * np.sin(x / 11) * np.cos(y / 13)
    disc = (x - 70 - shift) ** 2 + (y - 72) ** 2 < 40**2
    image[disc] = (150 + 50 * np.sin((x - shift) / 4) * np.cos(y / 5))[disc]
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(params=[average.build, flow.build], ids=["average", "flow"])
def generator(request: pytest.FixtureRequest) -> InterimGenerator:
    return request.param()


def test_contract(generator: InterimGenerator) -> None:
    frames = [scene(shift) for shift in (0, 4, 8, 12)]
    copies = [frame.copy() for frame in frames]
    made = generator(*frames)
    assert made.shape == frames[0].shape
    assert made.dtype == np.uint8
    assert np.array_equal(made, generator(*frames))
    assert all(np.array_equal(a, b) for a, b in zip(frames, copies, strict=True))


def test_still_scene_stays(generator: InterimGenerator) -> None:
    still = scene(0)
    assert np.array_equal(generator(still, still, still, still), still)


def test_time_reversal_changes_nothing(generator: InterimGenerator) -> None:
    a, b, c, d = (scene(shift) for shift in (0, 5, 10, 15))
    difference = generator(a, b, c, d).astype(int) - generator(d, c, b, a)
    assert abs(difference).max() <= 1


def test_flow_finds_the_midpoint() -> None:
    a, b, truth = scene(0), scene(6), scene(3)
    by_flow = psnr(flow.build()(a, a, b, b), truth)
    assert by_flow > psnr(average.build()(a, a, b, b), truth) + 6
    assert by_flow > 32


def test_clip_ends_are_repeated() -> None:
    seen = []

    def spy(*frames: np.ndarray) -> np.ndarray:
        seen.append(tuple(int(frame[0, 0, 0]) for frame in frames))
        return frames[1]

    clip = [np.full((4, 4, 3), k, np.uint8) for k in range(4)]
    assert len(list(interpolate_clip(spy, clip.__getitem__, 4))) == 3
    assert seen == [(0, 0, 1, 2), (0, 1, 2, 3), (1, 2, 3, 3)]
    assert list(interpolate_clip(spy, clip.__getitem__, 1)) == []


@pytest.mark.parametrize("half", [False, True])
def test_vfit_from_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, half: bool
) -> None:
    monkeypatch.setattr(vfit, "cpu_has_bfloat16", lambda: half)
    torch.manual_seed(0)
    network = VFIT(SIZES["tiny"])
    with torch.no_grad():
        network.predict.ModuleWeight[5].bias += 0.15  # beyond white
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "vfit.pth")
    settings = VfitSettings(size="tiny", weights=str(tmp_path / "vfit.pth"))
    generator = build_generator("vfit", settings, CPU)
    frames = [scene(shift, 45, 62) for shift in (0, 4, 8, 12)]
    made = generator(*frames)
    assert made.shape == (45, 62, 3)
    assert made.dtype == np.uint8
    images = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None] / 255
    with torch.inference_mode():
        predicted = network.eval()(images).full[0].permute(1, 2, 0) * 255
    assert predicted.max() > 255
    expected = predicted.clamp(0, 255).round().numpy().astype(np.uint8)
    apart = np.abs(made.astype(int) - expected)
    assert apart.mean() < (1.0 if half else 1e-12)  # grey levels


def test_vfit_without_a_checkpoint_is_one_clear_line(tmp_path: Path) -> None:
    for settings in (None, VfitSettings(size="base", weights=None)):
        with pytest.raises(ConfigError, match=r"name it as vfit\.weights in the scale's YAML"):
            build_generator("vfit", settings, CPU)
    absent = str(tmp_path / "gone.pth")
    with pytest.raises(RecordError, match=r"gone\.pth: no such file; fetch it"):
        build_generator("vfit", VfitSettings(size="tiny", weights=absent), CPU)
    torch.save(VFIT(SIZES["tiny"]).state_dict(), absent)
    with pytest.raises(RecordError, match=r"key 'encoder\.stage1\..* is missing"):
        build_generator("vfit", VfitSettings(size="small", weights=absent), CPU)
