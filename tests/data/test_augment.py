import numpy as np
import pytest

from tips.config import Augmentation
from tips.data.augment import NONE, Draw, draw

FAMILY = Augmentation(rotation=45.0, rotation_probability=0.6, scale=0.35, flip_probability=0.5)


def draws(settings: Augmentation, count: int = 20_000) -> list[Draw]:
    rng = np.random.default_rng(0)
    return [draw(settings, rng) for _ in range(count)]


def test_rotation_is_a_clipped_normal_with_probability() -> None:
    angles = np.array([one.rotation for one in draws(FAMILY)])
    turned = angles[angles != 0]
    assert len(turned) / len(angles) == pytest.approx(0.6, abs=0.01)
    assert turned.mean() == pytest.approx(0, abs=1.5)
    # sd of a normal clipped at two sd, in sd: 0.9594
    assert turned.std() == pytest.approx(45 * 0.9594, rel=0.02)
    assert np.abs(turned).max() == 90
    assert np.mean(np.abs(turned) == 90) == pytest.approx(0.0455, abs=0.006)


def test_scale_is_a_normal_clipped_at_one_sd() -> None:
    scales = np.array([one.scale for one in draws(FAMILY)])
    assert (scales.min(), scales.max()) == pytest.approx((0.65, 1.35))
    assert scales.mean() == pytest.approx(1, abs=0.01)
    assert np.mean((scales == scales.min()) | (scales == scales.max())) == pytest.approx(
        0.3173, abs=0.015
    )


def test_half_of_the_windows_are_mirrored() -> None:
    assert np.mean([one.flip for one in draws(FAMILY)]) == pytest.approx(0.5, abs=0.015)


def test_each_part_draws_whether_or_not_it_is_used() -> None:
    """Turning one part off leaves the others' numbers as they were."""
    without = FAMILY.model_copy(update={"rotation_probability": 0.0})
    pairs = zip(draws(FAMILY, 100), draws(without, 100), strict=True)
    assert all((a.scale, a.flip) == (b.scale, b.flip) for a, b in pairs)


def test_nothing_is_the_identity() -> None:
    off = Augmentation(rotation=0, rotation_probability=0, scale=0, flip_probability=0)
    assert set(draws(off, 100)) == {NONE}
