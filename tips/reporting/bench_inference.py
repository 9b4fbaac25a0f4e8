"""Writes the page of `make bench` on inference, whose body the report shows as well."""

from collections.abc import Mapping, Sequence
from typing import Any

from tips.tables import markdown
from tips.tables.published import Tables

# The time of a window is promised to be at most this multiple of the fastest single pass in any
# precision. Networks and precisions that are not listed have no promise.
PROMISES = {("tips-without-vfit", "fp32"): 6.5, ("tips-without-vfit", "bf16"): 4.8}
PASS, SPEED = "hrnet", "Speed (FPS)"
HEADER = (
    *("network", "precision", "threads", "CPU s", "passes", "quartiles"),
    *("by multiply-adds", "paper", "fp32 passes", "of the fastest pass"),
    *("backbone alone", "with heads as fast", "promised", "of the fastest", "of fp32 ones"),
)


def page(result: Mapping[str, Any], tables: Tables) -> str:
    """Renders the record of `tips stage bench-inference` as Markdown."""
    return "# A window through TIPS in passes of the single-frame HRNet\n\n" + body(result, tables)


def body(result: Mapping[str, Any], tables: Tables) -> str:
    """Writes the tables and their explanation, without a heading."""
    height, width = result["crop"]
    passes = markdown.table(
        ("one HRNet-W48 pass", "threads", "CPU s", "quartiles"),
        [
            [row["name"], str(row["threads"]), f"{row['seconds']:.3f}", _range(row, 3)]
            for row in result["passes"]
        ],
        "lrrr",
    )
    networks = markdown.table(HEADER, [_cells(row, tables) for row in result["networks"]], "llr")
    amx = _amx(result) if result["amx"] else "bf16 windows: not measured: no AMX."
    return (
        f"One person at {height}x{width}, batch 1, {markdown.text(result['cpu'])}, "
        f"{markdown.text(result['kernels'])} kernels: "
        f"process CPU time, median of {result['runs']} runs of all calls in turn. Interim frames "
        "are given; bf16 is the backbone's precision, heads are fp32. *Passes* is the window's "
        "time over that of the fastest pass in its precision and threads; *fp32 passes* and *of "
        "the fastest pass* are over the fastest in fp32 and in any precision. Less than by "
        "multiply-adds is possible, because five crops in one batch cost less than five passes: "
        "the more so, the more threads share the small maps of one pass. The paper's is 54.4 FPS "
        "over the row's. *Backbone alone* is the window's frames through the backbone, over the "
        "fastest pass too, and *with heads as fast* adds the heads at that pass's speed per "
        "multiply-add: a promise below it asks for heads faster than the fastest pass. What is "
        "promised bounds *of the fastest pass*; the last columns say whether that keeps it, and "
        "whether *fp32 passes* does, which is the same where bf16 gains nothing.\n\n"
        f"{passes}\n{networks}\n{amx}\n"
    )


def _cells(row: Mapping[str, Any], tables: Tables) -> list[str]:
    same, fastest = row["same_precision"], row["any_precision"]
    promised = PROMISES.get((row["variant"], row["precision"]))
    return [
        markdown.code(row["variant"]),
        row["precision"],
        str(row["threads"]),
        f"{row['seconds']:.3f}",
        f"{same['ratio']:.2f}",
        _range(same, 2),
        f"{row['mac_ratio']:.2f}",
        f"{_paper(row['variant'], tables):.1f}",
        f"{row['fp32']['ratio']:.2f}",
        f"{fastest['ratio']:.2f} ({fastest['fastest']})",
        f"{row['backbone']['ratio']:.2f}",
        f"{row['backbone']['ratio'] + row['heads_mac_ratio']:.2f}",
        "" if promised is None else f"at most {promised}",
        _kept(fastest, promised),
        _kept(row["fp32"], promised),
    ]


def _kept(found: Mapping[str, Any], promised: float | None) -> str:
    if promised is None:
        return ""
    return "kept" if found["ratio"] <= promised else "not kept"


def _amx(result: Mapping[str, Any]) -> str:
    """Tells what an fp32 window would cost in bf16 passes by multiply-adds, beside the promise."""
    passes = result["passes"]
    gain = min(
        _fastest(passes, "fp32", threads) / _fastest(passes, "bf16", threads)
        for threads in {row["threads"] for row in passes}
    )
    said = [
        f"`{name}`'s window in fp32, {row['mac_ratio']:.1f} passes by multiply-adds, is "
        f"{gain * row['mac_ratio']:.1f} bf16 passes or more by them; {promised} are promised."
        for (name, precision), promised in PROMISES.items()
        if (row := _row(result, name, precision)) and precision == "fp32"
    ]
    fast = f"With AMX a bf16 pass is at least {gain:.1f} times as fast as an fp32 one here."
    return " ".join([fast, *said])


def _row(result: Mapping[str, Any], name: str, precision: str) -> Mapping[str, Any] | None:
    found = (
        row for row in result["networks"] if (row["variant"], row["precision"]) == (name, precision)
    )
    return next(found, None)


def _fastest(passes: Sequence[Mapping[str, Any]], precision: str, threads: int) -> float:
    """Finds the CPU seconds of the fastest pass in one precision."""
    return min(
        float(row["seconds"])
        for row in passes
        if row["threads"] == threads and row["name"].startswith(precision)
    )


def _paper(variant: str, tables: Tables) -> float:
    table = tables.table("8")
    fps = {row.variant: table.printed(row, SPEED) for row in table.rows}
    return float(fps[PASS]) / float(fps[variant])


def _range(row: Mapping[str, Any], digits: int) -> str:
    low, high = row["quartiles"]
    return f"{low:.{digits}f} to {high:.{digits}f}"
