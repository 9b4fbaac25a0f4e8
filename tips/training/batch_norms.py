"""Moves running statistics of batch norms as one process would that takes all steps in order."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

Norm = nn.modules.batchnorm._BatchNorm


class Statistics(NamedTuple):
    """What one batch norm measured in one batch."""

    place: int  # of the batch norm among all
    mean: Tensor  # (C,) on the CPU
    variance: Tensor  # (C,) unbiased


class _Running(NamedTuple):
    """The true running statistics of a batch norm, and how fast they move."""

    mean: Tensor
    variance: Tensor
    batches: Tensor
    momentum: float


class BatchNorms:
    """The batch norms of modules, whose own statistics are those of the last batch meanwhile.

    While a batch norm trains, it reads no running statistics. So they can be set aside, and with a
    momentum of 1 those of each batch appear in their place.

    Args:
        modules: their batch norms note what they measure from now on.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        found = (one for module in modules for one in module.modules())
        self._norms = [one for one in found if isinstance(one, Norm) and one.track_running_stats]
        self._taken: list[Statistics] = []
        self._running = [self._set_aside(place) for place in range(len(self._norms))]

    def taken(self) -> Sequence[Statistics]:
        """Gives what was measured since the last call, in order."""
        found, self._taken = self._taken, []
        return found

    def replay(self, steps: Iterable[Sequence[Statistics]]) -> None:
        """Moves the running statistics by those of all steps, in order, and puts them into place.

        Args:
            steps: what was measured in each step, by whichever rank took it.
        """
        for one in (one for step in steps for one in step):
            running = self._running[one.place]
            for mean, of_batch in ((running.mean, one.mean), (running.variance, one.variance)):
                mean.mul_(1 - running.momentum).add_(of_batch.to(mean), alpha=running.momentum)
            running.batches.add_(1)
        for norm, running in zip(self._norms, self._running, strict=True):
            if norm.training:
                _put(norm, running)

    def _set_aside(self, place: int) -> _Running:
        norm = self._norms[place]
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        assert norm.momentum is not None
        running = _Running(
            norm.running_mean.clone(),
            norm.running_var.clone(),
            norm.num_batches_tracked.clone(),
            norm.momentum,
        )
        norm.momentum = 1.0

        def note(*_: object) -> None:
            if norm.training:
                mean, variance = norm.running_mean, norm.running_var
                assert mean is not None
                assert variance is not None
                self._taken.append(Statistics(place, mean.cpu().clone(), variance.cpu().clone()))

        norm.register_forward_hook(note)
        return running


def _put(norm: Norm, running: _Running) -> None:
    """Writes running statistics into a batch norm."""
    with torch.no_grad():
        for own, value in (
            (norm.running_mean, running.mean),
            (norm.running_var, running.variance),
            (norm.num_batches_tracked, running.batches),
        ):
            assert own is not None
            own.copy_(value)
