"""Times the compiled kernels against pure torch and torchvision, interleaved in one process."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from tips.config import ConfigError
from tips.ops import adacof, native
from tips.ops import deform_attn as ops
from tips.ops.deform_attn import Shapes, reference
from tips.ops.deform_conv import deform_conv
from tips.records import atomic_path, write_json
from tips.reporting.kernels import page
from tips.stages._progress import track
from tips.stages._timing import Call, quartiles, seconds, timed

PYRAMID = [(96, 72), (48, 36), (24, 18)]


class Shape(NamedTuple):
    """Sizes of one call."""

    batch: int
    maps: Shapes
    heads: int
    width: int


# The paper's map, its batch of frame pairs, a pyramid, a small map.
ATTENTION = {
    "b1-96x72": Shape(1, PYRAMID[:1], 8, 16),
    "b4-96x72": Shape(4, PYRAMID[:1], 8, 16),
    "3-levels": Shape(1, PYRAMID, 8, 16),
    "24x18-d8": Shape(1, [(24, 18)], 8, 8),
}
FUSED = {"b1-96x72-fused": ATTENTION["b1-96x72"], "24x18-d8-fused": ATTENTION["24x18-d8"]}


class Duel(NamedTuple):
    """Two ways to compute the same, forward and with gradients, and the bytes both must move."""

    reference: str
    theirs: tuple[Call, Call]
    ours: tuple[Call, Call]
    traffic: int


def run(
    out: Path = Path("results/bench/deform_attn.json"),
    report: Path = Path("reports/bench/deform_attn.md"),
    pairs: int = 30,
) -> None:
    """Writes ratios reference / ours of process CPU time: medians, quartiles, both times.

    Args:
        out: one record per shape and number of threads.
        report: the same as a page.
        pairs: interleaved pairs of calls per figure.

    Raises:
        ConfigError: no compiled kernel, or no pairs.
    """
    if not native.serves("cpu"):
        raise ConfigError("no kernel is built; run `make kernels`")
    if pairs < 1:
        raise ConfigError(f"--pairs must be at least 1; got {pairs}")
    rows = []
    duels = {
        **{name: attention(shape) for name, shape in ATTENTION.items()},
        **{name: fused(shape) for name, shape in FUSED.items()},
        "dcn-c128": convolution(),
        "adacof-3x3": warping(),
    }
    for threads in (1, 2):
        with using(threads):
            bandwidth = copy_bandwidth()
            for name, duel in track(duels.items(), f"{threads} thread", len(duels)):
                rows.append(record(name, threads, duel, pairs, bandwidth))
    write_json(rows, out)
    with atomic_path(report) as temporary:
        temporary.write_text(page(rows), encoding="utf-8")


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Sets torch's threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def record(name: str, threads: int, duel: Duel, pairs: int, bandwidth: float) -> dict[str, Any]:
    """Times one duel; see `run`."""
    with torch.inference_mode():
        forward = timed(duel.theirs[0], duel.ours[0], pairs)
    both = timed(duel.theirs[1], duel.ours[1], pairs)
    return {
        "shape": name,
        "threads": threads,
        "reference": duel.reference,
        "pairs": pairs,
        "forward_ratio": round(statistics.median(a / b for a, b in forward), 3),
        "forward_backward_ratio": round(statistics.median(a / b for a, b in both), 3),
        "quartiles": {
            "forward": quartiles([a / b for a, b in forward]),
            "forward_backward": quartiles([a / b for a, b in both]),
        },
        "milliseconds": {
            "forward": _medians(forward),
            "forward_backward": _medians(both),
            # Every input read and every output written once, at the speed of a large copy.
            "roofline_forward": round(1e3 * duel.traffic / bandwidth, 4),
        },
    }


def _medians(found: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "reference": round(1e3 * statistics.median(a for a, _ in found), 4),
        "ours": round(1e3 * statistics.median(b for _, b in found), 4),
    }


def copy_bandwidth() -> float:
    """Bytes read and written per second by copying 64 MB."""
    source = torch.zeros(16 * 2**20)
    target = torch.empty_like(source)
    fastest = min(seconds(lambda: target.copy_(source)) for _ in range(5))
    return 2 * source.numel() * source.element_size() / fastest


def _with_gradients(call: Callable[..., Tensor], leaves: list[Tensor]) -> tuple[Call, Call]:
    draw = torch.Generator().manual_seed(1)
    grad = torch.randn(call(*leaves).shape, generator=draw)
    return (
        lambda: call(*leaves),
        lambda: torch.autograd.grad(call(*leaves), leaves, grad),
    )


def _inputs(shape: Shape) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, centres, moves of about two pixels, logits; four points."""
    draw = torch.Generator().manual_seed(0)
    cells = sum(height * width for height, width in shape.maps)
    centres = torch.cat(
        [
            torch.cartesian_prod(
                (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
            ).flip(1)
            for height, width in shape.maps
        ]
    )
    levels = len(shape.maps)
    value = torch.randn(shape.batch, cells, shape.heads, shape.width, generator=draw)
    moves = 2 * torch.randn(shape.batch, cells, shape.heads, levels, 4, 2, generator=draw)
    logits = torch.randn(shape.batch, cells, levels * 4, shape.heads, generator=draw)
    return value, centres, moves, logits


def _located(shape: Shape, centres: Tensor, moves: Tensor) -> Tensor:
    sizes = torch.tensor([[width, height] for height, width in shape.maps])[:, None]
    return centres[None, :, None, None, None] + moves / sizes


def attention(shape: Shape) -> Duel:
    """Sampling and summing; softmax and locations outside on both sides."""
    value, centres, moves, logits = _inputs(shape)
    locations = _located(shape, centres, moves)
    weights = logits.softmax(2).transpose(2, 3).unflatten(3, (len(shape.maps), 4)).contiguous()
    leaves = [t.requires_grad_() for t in (value, locations, weights)]
    return Duel(
        "tips.ops.deform_attn.reference (grid_sample)",
        _with_gradients(lambda v, at, w: reference(v, shape.maps, at, w), leaves),
        _with_gradients(lambda v, at, w: ops.deform_attn(v, shape.maps, at, w), leaves),
        4 * sum(t.numel() for t in (*leaves, value)),
    )


def fused(shape: Shape) -> Duel:
    """The encoder's core: our op with softmax and locations outside against both inside."""
    value, centres, moves, logits = _inputs(shape)
    leaves = [t.requires_grad_() for t in (value, moves, logits)]

    def unfused(v: Tensor, m: Tensor, x: Tensor) -> Tensor:
        weights = x.softmax(2).transpose(2, 3).unflatten(3, (len(shape.maps), 4))
        return ops.deform_attn(v, shape.maps, _located(shape, centres, m), weights)

    return Duel(
        "our op, softmax and locations outside",
        _with_gradients(unfused, leaves),
        _with_gradients(
            lambda v, m, x: ops.deform_attn_fused(v, shape.maps, centres, m, x), leaves
        ),
        4 * sum(t.numel() for t in (*leaves, value)),
    )


def warping() -> Duel:
    """AdaCoF as VFIT's desk size calls it: four frames of 144x192, 3x3 taps, moved some px."""
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(4, 3, 146, 194, generator=draw)
    leaves = [torch.randn(4, 9, 144, 192, generator=draw).requires_grad_() for _ in range(3)]
    return Duel(
        "tips.ops.adacof.reference (gather)",
        _with_gradients(lambda *maps: adacof.reference(image, *maps), leaves),
        _with_gradients(lambda *maps: adacof.adacof(image, *maps), leaves),
        4 * sum(t.numel() for t in (*leaves, image, image)),
    )


def convolution() -> Duel:
    """A modulated deformable 3x3 convolution, 128 channels, 96x72."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 128, 96, 72, generator=draw)
    offset = 2 * torch.randn(1, 18, 96, 72, generator=draw)
    weight = torch.randn(128, 128, 3, 3, generator=draw) / 34
    mask = torch.rand(1, 9, 96, 72, generator=draw)
    leaves = [t.requires_grad_() for t in (x, offset, weight, mask)]
    return Duel(
        "torchvision.ops.deform_conv2d",
        _with_gradients(lambda a, o, w, m: deform_conv2d(a, o, w, padding=1, mask=m), leaves),
        _with_gradients(deform_conv, leaves),
        4 * sum(t.numel() for t in (*leaves, x)),
    )
