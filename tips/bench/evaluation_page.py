"""The page of `make bench` on how quick the evaluation is."""

from collections.abc import Mapping
from typing import Any

from tips.tables import markdown

PROMISE = 0.4  # the evaluation takes at most this share of the time of json.load
MEMORY = 2000  # MB that the evaluation takes at most
HEADER = (
    *("style", "sequences", "frames", "ratio", "quartiles"),
    *("json.load, s", "evaluation, s", "reading with json.load, s"),
)


def page(result: Mapping[str, Any]) -> str:
    """Renders the record of `tips stage bench-evaluation` as Markdown."""
    rows = markdown.table(HEADER, [_cells(row) for row in result["ratios"]], "lrrrlrrr")
    large = result["validation"]
    times = large["seconds"]
    return (
        "# Evaluation against json.load\n\n"
        "Process CPU time of the evaluation (ignore regions, assignment, average precision) / that "
        "of `json.load` on the same files, both in turn in one process: median and quartiles. At "
        f"most {PROMISE} is promised; poseval needs about 2.\n\n{rows}\n"
        f"`tips evaluate` as a process of its own on a dataset of PoseTrack18-val's size "
        f"({large['sequences']} sequences, {large['frames']:,} frames, {large['joints']:,} counted "
        f"joints, {large['predicted_joints']:,} predicted ones in counted frames, "
        f"{large['megabytes']:g} MB of json): {times['wall']:g} s wall, {times['cpu']:g} s CPU, "
        f"{large['peak_memory_mb']:,} MB peak memory (at most {MEMORY:,} MB is promised).\n"
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    times = row["seconds"]
    low, high = row["quartiles"]
    return [
        f"PoseTrack{row['style']}",
        str(row["sequences"]),
        f"{row['frames']:,}",
        f"{row['ratio']:.2f}",
        f"{low:.2f} to {high:.2f}",
        f"{times['json_load']:.3f}",
        f"{times['evaluation']:.3f}",
        f"{times['reading']:.3f}",
    ]
