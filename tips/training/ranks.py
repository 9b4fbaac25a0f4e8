"""Lets several processes, the ranks, train one model: each takes its share of every cycle's steps.

Each rank holds the whole model. Of the steps of an accumulation cycle it takes those whose number
it is, modulo the number of ranks. Then the ranks add up their gradients, and each of them updates
its weights in the same way. So all but the order of sums is as in one process.

A wrapper that splits a batch, such as DistributedDataParallel, would train something else: batch
norms would see smaller batches, losses that divide by a batch's annotated joints would weigh them
otherwise, and the losses have parameters and read the model beside its forward pass.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor, distributed, nn

from tips.safe_text import one_line
from tips.training.batch_norms import BatchNorms, Statistics
from tips.training.launch import is_rank

LONGEST: Final = 300  # characters of what torch says


class LostRankError(ValueError):
    """Another process of this training has ended, so this one cannot go on."""


class Taken(NamedTuple):
    """What one step gave."""

    terms: dict[str, Tensor]  # every loss by name
    finite: bool  # whether all of them are
    statistics: Sequence[Statistics] = ()  # of batch norms, if ranks replay them

    def on_cpu(self) -> "Taken":
        """Copies it from a card; this waits for the card."""
        return self._replace(terms={name: value.cpu() for name, value in self.terms.items()})


class Cycle(NamedTuple):
    """What an accumulation cycle gave, in the order of its steps."""

    steps: dict[int, Taken]
    signal: int = 0  # one that a process got meanwhile and that asks it to end; 0: none


class Ranks(Protocol):
    """The processes that train a model together."""

    rank: int
    count: int

    def agreed(self, value: bool) -> bool:
        """Waits for all ranks, and gives each the value of the first one."""

    def watch(self, modules: Sequence[nn.Module]) -> None:
        """Begins a training of these modules."""

    def statistics(self) -> Sequence[Statistics]:
        """Gives what batch norms measured since the last call."""

    def together(self, cycle: Cycle) -> Cycle:
        """Gives the cycle with the steps of all ranks."""

    def add_up(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sums the gradients of all ranks in each of them."""


class Alone:
    """One process."""

    rank, count = 0, 1

    def agreed(self, value: bool) -> bool:
        """Gives the value as it is."""
        return value

    def watch(self, modules: Sequence[nn.Module]) -> None:
        """Needs nothing."""

    def statistics(self) -> Sequence[Statistics]:
        """Gives none, because batch norms note them by themselves."""
        return ()

    def together(self, cycle: Cycle) -> Cycle:
        """Gives the cycle as it is."""
        return cycle

    def add_up(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leaves the gradients as they are."""


class Together:
    """Processes that `torchrun` has started on one machine, with a card each if there are any."""

    def __init__(self) -> None:
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()
        self._norms = BatchNorms(())

    def agreed(self, value: bool) -> bool:
        """Waits for all ranks, and gives each the value of the first one.

        Raises:
            LostRankError: another rank has ended.
        """
        told = [value]
        with _naming_the_loss():
            distributed.broadcast_object_list(told, src=0)
        return told[0]

    def watch(self, modules: Sequence[nn.Module]) -> None:
        """Begins a training of these modules, whose statistics are replayed after each cycle."""
        self._norms = BatchNorms(modules)

    def statistics(self) -> Sequence[Statistics]:
        """Gives what this rank's batch norms measured since the last call."""
        return self._norms.taken()

    def together(self, cycle: Cycle) -> Cycle:
        """Gives the cycle with the steps of all ranks, and replays their batch norms in order.

        Raises:
            LostRankError: another rank has ended.
        """
        own = {step: taken.on_cpu() for step, taken in cycle.steps.items()}
        told = [cycle] * self.count
        with _naming_the_loss():
            distributed.all_gather_object(told, Cycle(own, cycle.signal))
        every = {step: taken for one in told for step, taken in one.steps.items()}
        steps = {step: every[step] for step in sorted(every)}
        self._norms.replay([taken.statistics for taken in steps.values()])
        return Cycle(steps, max(one.signal for one in told))

    def add_up(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sums the gradients of all ranks in each; a parameter that no rank used keeps none."""
        every = list(parameters)
        device = every[0].device
        used = torch.tensor([one.grad is not None for one in every], dtype=torch.uint8).to(device)
        with _naming_the_loss():
            distributed.all_reduce(used, distributed.ReduceOp.MAX)
        chosen = [one for one, has in zip(every, used.tolist(), strict=True) if has]
        grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in chosen]
        flat = torch.cat([grad.flatten() for grad in grads])
        with _naming_the_loss():
            distributed.all_reduce(flat)
        for one, grad, part in zip(
            chosen, grads, flat.split([grad.numel() for grad in grads]), strict=True
        ):
            one.grad = grad.copy_(part.view_as(grad))


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Joins the ranks that `torchrun` has started; without it there is one process.

    Args:
        device: the kind of device; each rank takes the card of its number.
    """
    if not is_rank() or int(os.environ["WORLD_SIZE"]) == 1:
        yield Alone()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Together()
    finally:
        distributed.destroy_process_group()


@contextmanager
def _naming_the_loss() -> Iterator[None]:
    """Names what torch reports if a rank has ended while others wait for it."""
    try:
        yield
    except RuntimeError as error:
        said = one_line(str(error), LONGEST)
        raise LostRankError(
            f"the processes of this training lost each other, or another one ended; torch: {said}"
        ) from error
