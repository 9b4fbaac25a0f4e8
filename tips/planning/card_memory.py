"""Computes how large a training batch a card holds, from sizes of weights and activations."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

EFFECTIVE = 32  # the paper's batch; smaller batches are accumulated to it
GIB = 2**30
# An allowance for what is held beside tensors: the CUDA context, its libraries, and gaps that the
# allocator leaves.
CONTEXT = GIB
BASIS = (
    "Estimate from tensor sizes at batch 8 and 16 on the meta device, pure torch; cuDNN workspace "
    f"not included, {CONTEXT / GIB:g} GiB allowed for the CUDA context and the allocator's gaps. "
    "AMP is bf16 or fp16 in the backbone alone. It halves the activations of a backbone that is "
    "trained (hrnet, vitpose); a frozen one holds none. The heads, softmax and KL stay fp32, and "
    "so do weights, gradients and moments. Interim frames are made before, by rule interpolate. "
    "For `conv-conv` this is the most it can be: columns of deformable convolutions are counted "
    "as held, and torchvision's operator on a card holds none. Measured on an H200, tensors alone, "
    "with AMP and checkpointing: 1 to 3 % more than this without its 1 GiB in the rows of TIPS, 9 "
    "to 12 % more in `vitpose` and `hrnet`, 17 GiB less in `conv-conv`; without checkpointing 28 "
    "to 29 % less (`tips`, `groups-15`), because compiled kernels hold less."
)


class Footprint(NamedTuple):
    """The memory of one network's training step, in bytes."""

    variant: str
    weights: int  # parameters and buffers, frozen ones too
    trained: int  # parameters with a gradient, the criterion's too; gradients take as much again
    base: int  # peak of a step beside the weights, extrapolated to batch 0
    window: int  # what each window of the batch adds to it
    base_checkpointed: int  # both with activation checkpointing
    window_checkpointed: int
    backbone_trained: bool
    batch: int  # as configured
    accumulation: int

    def needed(self, batch: int, *, checkpointed: bool, amp: bool) -> int:
        """Estimates the bytes of a training step.

        Args:
            batch: the number of windows.
            checkpointed: whether activations are checkpointed.
            amp: whether the backbone computes in 16 bits.
        """
        base, window = self._activations(checkpointed)
        held = window / 2 if amp and self.backbone_trained else window
        # `trained` counts three times: the two moments of Adam, and the gradients, which are held
        # from step to step because they are accumulated. `base` is mostly these gradients, too.
        fixed = CONTEXT + self.weights + 2 * self.trained + max(self.trained, base)
        return round(fixed + batch * held)

    def largest(self, card: int, *, checkpointed: bool, amp: bool) -> int:
        """Gives the largest batch that a card holds, 0 if none.

        Args:
            card: the memory of the card, in bytes.
            checkpointed: whether activations are checkpointed.
            amp: whether the backbone computes in 16 bits.
        """
        empty = self.needed(0, checkpointed=checkpointed, amp=amp)
        one = self.needed(1, checkpointed=checkpointed, amp=amp) - empty
        return max(0, (card - empty) // one)

    def _activations(self, checkpointed: bool) -> tuple[int, int]:
        if checkpointed:
            return self.base_checkpointed, self.window_checkpointed
        return self.base, self.window


class Fit(NamedTuple):
    """The largest batch of one network in one mode, and the batch that can be accumulated to 32."""

    variant: str
    checkpointed: bool
    amp: bool
    window: int  # bytes that each window adds
    largest: int
    batch: int  # the largest divisor of the effective batch that fits; 0 if none
    needed: int  # bytes of the configured batch

    @property
    def accumulation(self) -> str:
        """The batch times the steps that are accumulated."""
        return f"{self.batch} x {EFFECTIVE // self.batch}" if self.batch else "none"


def fits(found: Iterable[Footprint], card: int) -> list[Fit]:
    """Finds the largest batch of every network with and without checkpointing, in fp32 and AMP."""
    rows = []
    for one in found:
        for checkpointed in (False, True):
            for amp in (False, True):
                mode = {"checkpointed": checkpointed, "amp": amp}
                largest = one.largest(card, **mode)
                batch = max((d for d in (1, 2, 4, 8, 16, 32) if d <= largest), default=0)
                window = one.needed(1, **mode) - one.needed(0, **mode)
                needed = one.needed(one.batch, **mode)
                rows.append(Fit(one.variant, checkpointed, amp, window, largest, batch, needed))
    return rows


def verdicts(found: Sequence[Footprint], card: int, *, checkpointing: bool) -> list[str]:
    """Tells whether each network's configured batch fits on a card, in fp32.

    Args:
        found: the memory of every network.
        card: the memory of the card, in bytes.
        checkpointing: whether the scale checkpoints activations.

    Returns:
        One sentence per network.
    """
    lines = []
    for one in found:
        needed = one.needed(one.batch, checkpointed=checkpointing, amp=False)
        word = "fits" if needed <= card else "does not fit"
        lines.append(
            f"{one.variant}: batch {one.batch} x {one.accumulation} with checkpointing "
            f"{'on' if checkpointing else 'off'} {word}: {needed / GIB:.1f} of {card / GIB:.1f} GiB"
        )
    return lines


def as_json(found: Sequence[Footprint], card: int, *, checkpointing: bool) -> dict[str, Any]:
    """Gives the memory plan as plain data, in bytes.

    Args:
        found: the memory of every network.
        card: the memory of the card, in bytes.
        checkpointing: whether the scale checkpoints activations.
    """
    return {
        "card": card,
        "context": CONTEXT,
        "basis": BASIS,
        "checkpointing": checkpointing,
        "footprints": [one._asdict() for one in found],
        "fits": [row._asdict() for row in fits(found, card)],
        "configured": verdicts(found, card, checkpointing=checkpointing),
    }
