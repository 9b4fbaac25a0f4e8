import math

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from tips.ops.heatmap import decode, encode, heatmap_error, sigma

ONE = np.ones(1, dtype=np.float32)


def drawn(x: float, y: float, height: int = 96, width: int = 72) -> np.ndarray:
    return encode(np.array([[x, y]], dtype=np.float32), ONE, height, width)[0]


@pytest.mark.parametrize(("height", "expected"), [(96, 3), (64, 2), (192, 6), (32, 1), (16, 1)])
def test_sigma_follows_the_map_and_never_falls_below_one(height: int, expected: float) -> None:
    assert sigma(height) == expected


@pytest.mark.parametrize("height", [96, 64, 32, 16, 24])
def test_energy_of_a_target_is_pi_sigma_squared(height: int) -> None:
    target = drawn(height // 2, height // 2, height, height)
    assert (target.astype(np.float64) ** 2).sum() == pytest.approx(
        np.pi * sigma(height) ** 2, rel=2e-3
    )


def test_a_target_is_a_gaussian_of_peak_one_in_a_window_of_three_sigma() -> None:
    target = drawn(20.4, 30.6)
    assert np.unravel_index(target.argmax(), target.shape) == (31, 20)
    assert target.max() == 1
    assert target[31, 23] == pytest.approx(np.exp(-0.5))
    assert target[34, 23] == pytest.approx(np.exp(-1.0))
    rows, columns = np.nonzero(target)
    assert (rows.min(), rows.max()) == (22, 40)
    assert (columns.min(), columns.max()) == (11, 29)


def test_weight_zero_draws_nothing_even_for_nan() -> None:
    joints = np.array([[5, 5], [np.nan, np.nan]], dtype=np.float32)
    maps = encode(joints, np.array([0, 0], dtype=np.float32), 16, 16)
    assert maps.shape == (2, 16, 16)
    assert maps.dtype == np.float32
    assert not maps.any()


def test_whole_cells_survive_the_round_trip() -> None:
    rng = np.random.default_rng(0)
    joints = np.stack([rng.integers(0, 72, 15), rng.integers(0, 96, 15)], -1).astype(np.float32)
    maps = torch.from_numpy(encode(joints, np.ones(15, dtype=np.float32), 96, 72))[None]
    for mode in ("plain", "quarter"):
        found, scores = decode(maps, mode)
        assert np.array_equal(found[0].numpy(), joints)
        assert torch.equal(scores, torch.ones(1, 15))


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (5, 6, (5.25, 5.75)),  # larger neighbours right and above
        (1, 6, (1.0, 6.0)),  # one cell from the border: the family shifts neither axis
        (5, 1, (5.0, 1.0)),
        (2, 2, (2.25, 1.75)),
        (14, 14, (14.25, 13.75)),  # the family's rule reaches one cell further at the far end
        (15, 8, (15.0, 8.0)),
        (0, 0, (0.0, 0.0)),
    ],
)
def test_quarter_shift_goes_to_the_larger_neighbour(
    x: int, y: int, expected: tuple[float, float]
) -> None:
    maps = torch.zeros(1, 1, 16, 16)
    if x < 15:
        maps[0, 0, y, x + 1] = 0.5
    if y > 0:
        maps[0, 0, y - 1, x] = 0.5
    maps[0, 0, y, x] = 1.0
    assert decode(maps, "quarter")[0][0, 0].tolist() == list(expected)
    assert decode(maps, "plain")[0][0, 0].tolist() == [x, y]


def test_shapes_are_checked_in_tests() -> None:
    """pyproject.toml has the import hook; without it every annotation could be wrong."""
    with pytest.raises(TypeCheckError, match="maps"):
        decode(torch.zeros(3, 16, 16), "plain")


def test_equal_neighbours_do_not_shift() -> None:
    maps = torch.zeros(1, 1, 16, 16)
    maps[0, 0, 8, 7:10] = torch.tensor([0.5, 1.0, 0.5])
    assert decode(maps, "quarter")[0][0, 0].tolist() == [8, 8]


def test_a_map_without_a_positive_value_decodes_to_the_corner() -> None:
    maps = torch.full((2, 1, 16, 16), -1.0)
    maps[0, 0, 4, 4] = 0.0
    joints, scores = decode(maps, "quarter")
    assert not joints.any()
    assert scores.flatten().tolist() == [0.0, -1.0]


def gaussians(centres: torch.Tensor, height: int, width: int, spread: float) -> torch.Tensor:
    """Maps (1, J, H, W) of Gaussians that are not rounded to cells."""
    x = torch.arange(width) - centres[:, 0, None, None]
    y = torch.arange(height)[:, None] - centres[:, 1, None, None]
    return torch.exp(-(x**2 + y**2) / (2 * spread**2))[None]


@pytest.mark.parametrize(
    ("height", "width", "factor"), [(96, 72, 1.0), (96, 72, 0.7), (96, 72, 1.5), (16, 16, 1.0)]
)
def test_dark_finds_the_top_of_a_gaussian(height: int, width: int, factor: float) -> None:
    spread = sigma(height) * factor
    margin = 3 * (spread + sigma(height))
    if 2 * margin >= width:
        margin = 6.0  # of a small map, whose blur meets the border
    draw = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    centres = margin + draw * (torch.tensor([width, height]) - 1 - 2 * margin)
    maps = 0.7 * gaussians(centres, height, width, spread)
    found, scores = decode(maps, "dark")
    assert (found[0] - centres).abs().max() < 0.02
    assert torch.equal(scores, maps.flatten(-2).max(-1).values)
    plain, _ = decode(maps, "plain")
    assert (plain[0] - centres).abs().max() > 0.3


def test_dark_moves_no_peak_at_the_border_and_none_of_a_flat_map() -> None:
    centres = torch.tensor([[0.4, 30.0], [70.6, 40.3], [30.2, 1.2], [33.0, 94.4]])
    maps = gaussians(centres, 96, 72, 3.0)
    assert torch.equal(decode(maps, "dark")[0], decode(maps, "plain")[0])
    assert torch.equal(decode(torch.zeros(1, 2, 16, 16), "dark")[0], torch.zeros(1, 2, 2))
    flat = torch.ones(1, 1, 96, 72)
    flat[..., 50, 30] = 1.0001
    assert (decode(flat, "dark")[0] - torch.tensor([30.0, 50.0])).abs().max() < 0.5


@pytest.mark.parametrize("height", [96, 64, 32, 16, 192])
def test_a_zero_prediction_costs_nine_pi_per_joint_at_every_size(height: int) -> None:
    joints = torch.full((15, 2), height / 2).numpy()
    target = torch.from_numpy(encode(joints, torch.ones(15).numpy(), height, height))[None]
    cost = heatmap_error(torch.zeros_like(target), target, torch.ones(1, 15), 15)
    assert cost.item() == pytest.approx(9 * math.pi, rel=2e-3)


@pytest.mark.parametrize(("shift", "error"), [(1, 1.55), (2, 5.95), (4, 20.3), (8, 47.1)])
def test_cost_of_a_displaced_prediction(shift: int, error: float) -> None:
    """The table of the design page losses.md: squared error summed over a 96 x 72 map."""
    one = torch.ones(1).numpy()
    at, moved = torch.tensor([[36.0, 48.0]]), torch.tensor([[36.0 + shift, 48.0]])
    maps = [torch.from_numpy(encode(joint.numpy(), one, 96, 72))[None] for joint in (at, moved)]
    assert heatmap_error(*maps, torch.ones(1, 1), 1).item() == pytest.approx(error, rel=5e-3)


def test_perfect_maps_cost_nothing_and_joints_without_label_are_free() -> None:
    target = torch.rand(2, 15, 16, 16)
    assert heatmap_error(target, target, torch.ones(2, 15), 15) == 0
    weights = torch.ones(2, 15)
    weights[:, 3] = 0
    wrong = target.clone()
    wrong[:, 3] += 5
    assert heatmap_error(wrong, target, weights, 15) == 0
