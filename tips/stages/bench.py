"""Times the compiled kernels against pure torch and torchvision, in turn in one process."""

import statistics
from pathlib import Path
from typing import Any

import torch

from tips.bench.kernel_cases import Duel, Shape, attention, convolution, fused, warping
from tips.bench.kernel_pages import page
from tips.bench.paired_timing import quartiles, seconds, timed
from tips.config import ConfigError
from tips.device import using_threads
from tips.ops import native
from tips.progress import track
from tips.records import atomic_path, write_json

PYRAMID = [(96, 72), (48, 36), (24, 18)]
# The paper's map; the same for a batch of four frame pairs; three maps at once; a small map.
ATTENTION = {
    "b1-96x72": Shape(1, PYRAMID[:1], 8, 16),
    "b4-96x72": Shape(4, PYRAMID[:1], 8, 16),
    "3-levels": Shape(1, PYRAMID, 8, 16),
    "24x18-d8": Shape(1, [(24, 18)], 8, 8),
}
FUSED = {"b1-96x72-fused": ATTENTION["b1-96x72"], "24x18-d8-fused": ATTENTION["24x18-d8"]}


def run(
    out: Path = Path("results/bench/deform_attn.json"),
    report: Path = Path("reports/bench/deform_attn.md"),
    pairs: int = 30,
) -> None:
    """Writes how many times faster our kernels are than the references, by process CPU time.

    Every ratio, reference / ours, is the median over pairs, with quartiles and both times.

    Args:
        out: Writes one record per shape and number of threads to this json file.
        report: Writes the same as a page to this Markdown file.
        pairs: Times this number of pairs of calls, one of each side in turn, for every ratio.

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
        with using_threads(threads):
            bandwidth = copy_bandwidth()
            for name, duel in track(duels.items(), f"{threads} thread", len(duels)):
                rows.append(record(name, threads, duel, pairs, bandwidth))
    write_json(rows, out)
    with atomic_path(report) as temporary:
        temporary.write_text(page(rows), encoding="utf-8")


def record(name: str, threads: int, duel: Duel, pairs: int, bandwidth: float) -> dict[str, Any]:
    """Times one kernel against its reference, forward alone and with gradients.

    Args:
        name: the name of the shape.
        threads: the number of torch's threads that are set now.
        duel: both ways to compute it.
        pairs: the number of timed pairs of calls.
        bandwidth: bytes that a large copy reads and writes per second, from `copy_bandwidth`.

    Returns:
        The record of the shape, as `run` writes it.
    """
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
            # The least time that is possible: every input is read once and every output written
            # once, as fast as a large copy does it.
            "roofline_forward": round(1e3 * duel.traffic / bandwidth, 4),
        },
    }


def _medians(found: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "reference": round(1e3 * statistics.median(a for a, _ in found), 4),
        "ours": round(1e3 * statistics.median(b for _, b in found), 4),
    }


def copy_bandwidth() -> float:
    """Measures how many bytes a copy of 64 MB reads and writes per second."""
    source = torch.zeros(16 * 2**20)
    target = torch.empty_like(source)
    fastest = min(seconds(lambda: target.copy_(source)) for _ in range(5))
    return 2 * source.numel() * source.element_size() / fastest
