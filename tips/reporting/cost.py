"""Writes the page of `tips cost`: what every network costs, beside the paper's numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tips.config import BACKBONE
from tips.records import RecordError
from tips.reporting import bench_inference
from tips.tables import markdown
from tips.tables.cells import number
from tips.tables.compared import ORIGIN
from tips.tables.costs import read_costs, read_timed
from tips.tables.paper_size import RELEASE
from tips.tables.published import Row as Printed
from tips.tables.published import Table, Tables, load_tables
from tips.tables.sheet import Page, Section
from tips.tables.sources import Cost, Inference, Timed, read_if_present

TABLES: Final = Path("experiments/tables.yaml")
SPEEDS = ("speed", "speed_given_frames")
# Names of columns in Table VIII; the speed has a column in Tables VI and VIII.
PARAMS, FLOPS = "Params", "GFLOPs"
FPS = {"6": "Speed(FPS)", "8": "Speed (FPS)"}
# Numbers that cannot agree with the paper's, and why. Words in braces stand for numbers of the
# record, which `_figures` fills in. The other numbers are printed in the paper, or counted for the
# published networks at other sizes.
NOTES = {
    "hrnet": "with COCO's 17 joints, as published (15 joints: 98 parameters fewer). The paper's "
    "32.9 are multiply-adds / 2^30; the 35.4 and 35.7 of other rows of its column are / 10^9.",
    "vitpose": "the paper's row is the backbone alone without its position embedding, 630,664,960 "
    "parameters, at 256x192 by a counter that sees layers only: 120.99 GMAC (124.01 with "
    "attention). Here: 384x288, with neck and head.",
    "tips-without-vfit": "agrees when read as GiMAC, the convention of the HRNet row.",
    "tips": "476 cannot be reproduced: VFIT-B alone costs {vfit:.1f} GMAC for one middle frame and "
    "four are needed. Only VFIT at a third of the size (128x96) would come near.",
    "tips-ms": "the paper's 492 are its 476 + 16; ours adds {stages:.1f} GMAC to `tips` as well.",
    "tips-vit": "585.0 cannot hold nine passes of ViT-H; five passes at 256x192 without any "
    "interim frame would give 590.6 GiMAC. Parameters here include the position embedding.",
    "posewarper": "192.2 leaves {warps:.1f} GiMAC beside five passes of HRNet, {five:.1f}; its "
    "warps, twenty blocks of 128 channels each, take several times that.",
    "dcpose": "46.5 cannot hold three passes of HRNet, {one:.2f} GiMAC each, {three:.1f} in all.",
    "dsta": "35.7 holds one pass of HRNet; its window of three frames needs three.",
}
PARTS = ("backbone", "vfit", "synthesizer", "fuse", "distiller", "head", "coordinate_heads")
KINDS = ("convolution", "linear", "attention", "sampling")
SHARES = ("backbone", "vfit", "rest")


def page(rows: Sequence[Cost], tables: Tables, timed: Sequence[Timed]) -> str:
    """Writes the record of `tips cost` as Markdown.

    Args:
        rows: the counts, one entry per network.
        tables: the paper's tables, which name the variants of Table VIII.
        timed: the times of the networks that were timed.
    """
    return "\n".join(
        [
            "# What the networks cost\n",
            INTRODUCTION,
            "## Table VIII, the first columns\n",
            _beside_the_paper(rows, tables),
            _heads(rows, tables),
            _notes(rows, tables),
            "## Arithmetic, GMAC\n",
            SAMPLING,
            _arithmetic(rows, tables),
            "## Parameters by part\n",
            _parts(rows, tables),
            "## Activation memory and speed\n",
            _measured(rows, tables, timed),
        ]
    )


def section(page: Page) -> Section:
    """Writes the report's section: what is counted, and times if they were measured.

    Raises:
        RecordError: a file is malformed.
    """
    title = "What the networks cost"
    rows, bench = read_costs(page.paths.cost), page.paths.bench
    if not rows:
        return Section(title, "Not counted: `tips cost` does it.\n")
    tables = load_tables(TABLES, RELEASE)  # they name the variants of the paper's size
    inference = read_if_present(Inference, bench / "inference.json")
    parts = [
        INTRODUCTION,
        _beside_the_paper(rows, tables),
        _heads(rows, tables),
        "What cannot agree, and why:\n",
        _notes(rows, tables),
        markdown.folded(
            "Arithmetic of every network, GMAC", SAMPLING + "\n" + _arithmetic(rows, tables)
        ),
        markdown.folded("Parameters by part", _parts(rows, tables)),
        markdown.folded(
            "Activation memory and speed", _measured(rows, tables, read_timed(bench / "cost.json"))
        ),
        "### One window in single passes of HRNet-W48\n",
        bench_inference.body(inference.model_dump(), tables)
        if inference is not None
        else "Not measured on this machine: `make bench` does it.\n",
    ]
    return Section(title, "\n".join(parts))


INTRODUCTION = (
    "Scale paper, 384x288, whatever this study's scale: counted on modules without weights, "
    "nothing was run. Parameters include both coordinate heads; heads that only a loss needs never "
    'count. One multiply-add is one MAC; GMAC is / 10^9, GiMAC / 2^30, and the paper\'s "GFLOPs" '
    "mix both. Models that look at interim frames include VFIT-B once in the parameters and once "
    "per interim frame in the arithmetic.\n"
)
SAMPLING = (
    "Sampling is deformable attention and convolution, and VFIT's AdaCoF: five multiply-adds a "
    "sampled value. Attention is products of queries, keys and values; projections are linear "
    "layers.\n"
)


def _notes(rows: Sequence[Cost], tables: Tables) -> str:
    figures = _figures(rows, tables)
    return markdown.bullets(f"`{name}`: {note.format(**figures)}" for name, note in NOTES.items())


def _figures(rows: Sequence[Cost], tables: Tables) -> dict[str, float]:
    """Gives the numbers that NOTES mentions: GiMAC of passes of HRNet, and GMAC of other parts."""
    known = {row.variant: row for row in rows}
    try:
        one = known[BACKBONE].gimac
        vfit, tips, tips_ms = (known[name].gmac for name in ("vfit-b", "tips", "tips-ms"))
    except KeyError as error:
        raise RecordError(f"cost.json has no row {error}; run `tips cost` again") from error
    table = tables.table("8")
    warped = next(row for row in table.rows if row.variant == "posewarper")
    return {
        "one": one,
        "three": 3 * one,
        "five": 5 * one,
        "warps": float(table.printed(warped, FLOPS)) - 5 * one,
        "vfit": vfit,
        "stages": tips_ms - tips,
    }


def _origin(row: Cost, tables: Tables) -> str:
    """Tells whose network a row is; no table has the interpolators, which are VFIT as published."""
    if row.interim_frames is None:
        return "re-implemented"
    return tables.origins.get(row.variant, "ours")


def _printed(table: Table, variant: str) -> Printed | None:
    """Finds the row of the table that a variant fills."""
    return next((row for row in table.rows if row.variant == variant), None)


def _beside_the_paper(rows: Sequence[Cost], tables: Tables) -> str:
    table = tables.table("8")
    cells = []
    for row in rows:
        printed = _printed(table, row.variant)
        if printed is not None:
            cells.append(
                [
                    markdown.code(row.variant),
                    printed.label,
                    _origin(row, tables),
                    table.printed(printed, PARAMS),
                    f"{row.params:,}",
                    table.printed(printed, FLOPS),
                    f"{row.gimac:.1f}",
                    f"{row.gmac:.1f}",
                ]
            )
    header = (
        *("variant", "row", ORIGIN),
        *("paper, params", "here", "paper, GFLOPs", "GiMAC", "GMAC"),
    )
    return markdown.table(header, cells, "lllr")


def _arithmetic(rows: Sequence[Cost], tables: Tables) -> str:
    cells = []
    for row in rows:
        by_part = row.gmac_by_part
        cells.append(
            [
                markdown.code(row.variant),
                row.title,
                _origin(row, tables),
                f"{row.gmac:.1f}",
                f"{row.gimac:.1f}",
                *(f"{row.macs[kind] / 1e9:.2f}" for kind in KINDS),
                *(f"{by_part[part]:.1f}" if part in by_part else "" for part in SHARES),
            ]
        )
    header = ("variant", "what", ORIGIN, "GMAC", "GiMAC", *KINDS, *SHARES)
    return markdown.table(header, cells, "lllr")


def _heads(rows: Sequence[Cost], tables: Tables) -> str:
    """Compares heads of rivals with public code: as trained here, and as that code counts them."""
    table = tables.table("8")
    backbone = _printed(table, BACKBONE)
    cells = []
    for row in rows:
        if row.head:
            printed = _printed(table, row.variant)
            sizes = [number(table.printed(p, PARAMS)[:-1]) for p in (printed, backbone) if p]
            known = [size for size in sizes if size is not None]
            cells.append(
                [
                    markdown.code(row.variant),
                    f"{row.head:,}",
                    f"{row.head_coco:,}",
                    f"{known[0] - known[1]}M" if len(known) == 2 else "",
                ]
            )
    if not cells:
        return ""
    header = ("head", "15 joints, the row's", "17, as its code", "Table VIII less HRNet")
    return "Parameters beside the backbone, re-implemented:\n\n" + markdown.table(
        header, cells, "lrrr"
    )


def _parts(rows: Sequence[Cost], tables: Tables) -> str:
    known = [row for row in rows if row.interim_frames is not None]
    cells = [
        [
            markdown.code(row.variant),
            _origin(row, tables),
            f"{row.params:,}",
            *(f"{row.params_by_part.get(part, 0):,}" for part in PARTS),
            f"{sum(n for part, n in row.params_by_part.items() if part not in PARTS):,}",
        ]
        for row in known
    ]
    return markdown.table(("variant", ORIGIN, "all", *PARTS, "other"), cells, "llr")


def _measured(rows: Sequence[Cost], tables: Tables, timed: Sequence[Timed]) -> str:
    times = {row.variant: row for row in timed}
    cells = []
    for row in rows:
        name = row.variant
        if row.inference_mib is not None:
            found = times.get(name)
            cells.append(
                [
                    markdown.code(name),
                    _origin(row, tables),
                    *(f"{getattr(row, f'{what}_mib'):.0f}" for what in MEMORY),
                    _paper_speed(tables, name),
                    *(f"{getattr(found, key):.4f}" if found else "" for key in SPEEDS),
                ]
            )
    header = (
        *("variant", ORIGIN, "inference, MiB", "training, MiB", "checkpointed, MiB"),
        *("paper, FPS / 54.4", "speed", "frames given"),
    )
    devices = sorted({row.device for row in timed})
    return (
        "Peaks of one window in fp32 and pure torch, interim frames given (what VFIT-B holds while "
        "it makes them is left out), without weights, moments and the kernels' workspace. A "
        "training step holds its gradients; checkpointed, it computes encoder layers again in its "
        "backward pass. Speed, of the rows of Tables VI and VIII, is windows a second over those "
        "of the single-frame HRNet in the same run, with VFIT inside and with interim frames "
        "given: "
        + (f"measured on {markdown.text(', '.join(devices))}" if devices else "not measured here")
        + ", `tips cost --measure` does it.\n\n"
        + markdown.table(header, cells, "llr")
    )


MEMORY = ("inference", "training", "checkpointed")


def _paper_speed(tables: Tables, variant: str) -> str:
    """Gives the printed FPS over the single-frame HRNet's, from the first table that has it."""
    for name, column in FPS.items():
        table = tables.table(name)
        printed, one = _printed(table, variant), _printed(table, "hrnet")
        if printed is not None and one is not None:
            speed, base = number(table.printed(printed, column)), number(table.printed(one, column))
            return "" if speed is None or base is None else f"{speed / base:.4f}"
    return ""
