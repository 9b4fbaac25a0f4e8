"""The page of `make bench`: ratios of the compiled kernels to their references."""

from collections.abc import Mapping, Sequence
from typing import Any

from tips.tables import markdown

HEADER = (
    *("shape", "threads", "reference", "forward", "quartiles"),
    *("forward + backward", "quartiles", "ours, ms", "roofline, ms"),
)

TRAINING_HEADER = (
    *("model", "threads", "batch", "pure torch, s", "kernels, s", "ratio", "quartiles", "pairs"),
)


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Renders the records of `tips stage bench` as Markdown."""
    body = markdown.table(HEADER, [_cells(row) for row in rows], "lllrlrlrr")
    return (
        "# Compiled kernels against their references\n\n"
        "Ratios of process CPU time, reference / ours, both sides in turn in one process: median "
        "and quartiles. Times are of the forward pass; the roofline is the time to read every "
        "input and write the output once at the speed of a large copy.\n\n" + body
    )


def training_page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Renders the records of `tips stage bench-training` as Markdown."""
    cells = [
        [
            row["model"],
            str(row["threads"]),
            str(row["batch"]),
            f"{row['seconds']['reference']:.3f}",
            f"{row['seconds']['ours']:.3f}",
            f"{row['ratio']:.2f}",
            _range(row["quartiles"], 2),
            str(row["pairs"]),
        ]
        for row in rows
    ]
    return (
        "# Training steps with compiled kernels and with pure torch\n\n"
        "Process CPU seconds of one whole step (forward, losses, backward, Adam), both sides in "
        "turn in one process. The desk's model includes its frozen backbone; of the model at "
        "paper size everything behind the backbone is run, on features that are given.\n\n"
    ) + markdown.table(TRAINING_HEADER, cells, "lrrrrrrr")


def _cells(row: Mapping[str, Any]) -> list[str]:
    times = row["milliseconds"]
    return [
        row["shape"],
        str(row["threads"]),
        row["reference"],
        f"{row['forward_ratio']:.1f}",
        _range(row["quartiles"]["forward"]),
        f"{row['forward_backward_ratio']:.1f}",
        _range(row["quartiles"]["forward_backward"]),
        f"{times['forward']['ours']:.2f}",
        f"{times['roofline_forward']:.2f}",
    ]


def _range(quartiles: Sequence[float], digits: int = 1) -> str:
    return f"{quartiles[0]:.{digits}f} to {quartiles[1]:.{digits}f}"
