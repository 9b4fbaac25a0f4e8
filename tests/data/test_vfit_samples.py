import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tips.data.vfit_samples import MiddleFrames, stack_middles
from tips.records import Annotations, Frame, Sequence

HEIGHT, WIDTH, LENGTH = 20, 30, 9


def frame(_: str, k: float) -> NDArray[np.uint8]:
    """Time in the red channel, row and column in the others."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([np.full_like(rows, round(20 * k)), rows, columns], -1).astype(np.uint8)


def between(name: str, w: int) -> NDArray[np.uint8]:
    return frame(name, w + 0.5)


@pytest.fixture
def annotations() -> Annotations:
    frames = tuple(Frame(file=f"{k}.jpg", labelled=False, id=k) for k in range(LENGTH))
    return Annotations(
        dataset="test",
        root="",
        split="train",
        sequences=tuple(
            Sequence(name=name, motion="m", width=WIDTH, height=HEIGHT, frames=frames[:count])
            for name, count in (("long", LENGTH), ("short", 3))
        ),
    )


@pytest.mark.parametrize("truth", [between, None])
def test_the_truth_lies_half_way(annotations: Annotations, truth: object) -> None:
    samples = MiddleFrames(frame, truth, annotations, 8, seed=0)
    assert len(samples) == (LENGTH - 3 if truth else LENGTH - 6)
    orders = set()
    for sample in range(len(samples)):
        for epoch in range(8):
            middle = samples[epoch, sample]
            assert middle.frames.shape == (4, 3, 8, 8)
            times = middle.frames[:, 0, 0, 0] * 255 / 20
            step = times.diff()
            assert torch.allclose(step, step[:1].expand(3), atol=1e-4)
            orders.add(round(step[0].item()))
            assert middle.truth[0, 0, 0] * 255 / 20 == pytest.approx(times.mean().item(), abs=0.03)
            # All five are the same cut.
            assert torch.equal(middle.frames[:, 1:], middle.truth[1:].expand(4, -1, -1, -1))
    assert orders == ({1, -1} if truth else {2, -2})


def test_a_draw_is_fixed_by_seed_epoch_and_sample(annotations: Annotations) -> None:
    samples = MiddleFrames(frame, between, annotations, 8, seed=0)
    first, again, other = samples[0, 1], samples[0, 1], samples[1, 1]
    assert torch.equal(first.frames, again.frames)
    assert not torch.equal(first.frames, other.frames)
    assert stack_middles([first, other]).frames.shape == (2, 4, 3, 8, 8)


def test_a_cut_is_no_larger_than_the_frame(annotations: Annotations) -> None:
    middle = MiddleFrames(frame, between, annotations, 25, seed=0)[0, 0]
    assert middle.truth.shape == (3, HEIGHT, 25)
