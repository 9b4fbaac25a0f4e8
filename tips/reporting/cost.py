"""The page of `tips cost`: what every network costs, beside the paper's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from tips.reporting import markdown
from tips.reporting.published import Row, Tables

Entry = Mapping[str, Any]
# What cannot agree, and why; measured or derived from the published networks.
NOTES = {
    "hrnet": "with COCO's 17 joints, as published (15 joints: 98 parameters fewer). The paper's "
    "32.9 are multiply-adds / 2^30; the 35.4 and 35.7 of other rows of its column are / 10^9.",
    "vitpose": "the paper's row is the backbone alone without its position embedding, 630,664,960 "
    "parameters, at 256x192 by a counter that sees layers only: 120.99 GMAC (124.01 with "
    "attention). Here: 384x288, with neck and head.",
    "tips-without-vfit": "agrees when read as GiMAC, the convention of the HRNet row.",
    "tips": "476 cannot be reproduced: VFIT-B alone costs 289.3 GMAC for one middle frame and four "
    "are needed. Only VFIT at a third of the size (128x96) would come near.",
    "tips-ms": "the paper's 492 are its 476 + 16; ours adds 16.0 GMAC to `tips` as well.",
    "tips-vit": "585.0 cannot hold nine passes of ViT-H; five passes at 256x192 without any "
    "interim frame would give 590.6 GiMAC. Parameters here include the position embedding.",
    "dcpose": "46.5 cannot hold three passes of HRNet, 98.6 GiMAC.",
    "dsta": "35.7 holds one pass of HRNet; its window of three frames needs three.",
}
PARTS = ("backbone", "vfit", "synthesizer", "fuse", "distiller", "head", "coordinate_heads")
KINDS = ("convolution", "linear", "attention", "sampling")
SHARES = ("backbone", "vfit", "rest")


def page(rows: Sequence[Entry], tables: Tables) -> str:
    """Renders the record of `tips cost` as Markdown.

    Args:
        rows: one entry per network.
        tables: the paper's.
    """
    sections = [
        "# What the networks cost\n",
        "Scale paper, 384x288: counted on modules without weights, nothing was run. Parameters "
        "include both coordinate heads; heads that only a loss needs never count. One "
        'multiply-add is one MAC; GMAC is / 10^9, GiMAC / 2^30, and the paper\'s "GFLOPs" mix '
        "both. Models that look at interim frames include VFIT-B once in the parameters and once "
        "per interim frame in the arithmetic.\n",
        "## Table VIII, the first columns\n",
        _beside_the_paper(rows, tables),
        markdown.bullets(f"`{name}`: {note}" for name, note in NOTES.items()),
        "## Arithmetic, GMAC\n",
        "Sampling is deformable attention and convolution, and VFIT's AdaCoF: five multiply-adds "
        "a sampled value. Attention is products of queries, keys and values; projections are "
        "linear layers.\n",
        _arithmetic(rows),
        "## Parameters by part\n",
        _parts(rows),
    ]
    if any("inference_mib" in row for row in rows):
        sections += ["## Activation memory and speed\n", _measured(rows, tables)]
    return "\n".join(sections)


def rows_by_variant(tables: Tables) -> dict[str, Row]:
    """The rows of Table VIII that a variant stands beside, on whatever dataset."""
    rows = tables.table("8").rows
    return {name: row for row in rows if (name := row.variant or row.elsewhere)}


def _beside_the_paper(rows: Sequence[Entry], tables: Tables) -> str:
    table, beside = tables.table("8"), rows_by_variant(tables)
    cells = []
    for row in rows:
        if row["variant"] in beside:
            printed = beside[row["variant"]]
            cells.append(
                [
                    markdown.code(row["variant"]),
                    printed.label,
                    table.printed(printed, "Params"),
                    f"{row['params']:,}",
                    table.printed(printed, "GFLOPs"),
                    f"{row['gimac']:.1f}",
                    f"{row['gmac']:.1f}",
                ]
            )
    header = ("variant", "row", "paper, params", "here", "paper, GFLOPs", "GiMAC", "GMAC")
    return markdown.table(header, cells, "llrrrrr")


def _arithmetic(rows: Sequence[Entry]) -> str:
    cells = []
    for row in rows:
        by_part = row.get("gmac_by_part", {})
        cells.append(
            [
                markdown.code(row["variant"]),
                row["title"],
                f"{row['gmac']:.1f}",
                f"{row['gimac']:.1f}",
                *(f"{row['macs'][kind] / 1e9:.2f}" for kind in KINDS),
                *(f"{by_part[part]:.1f}" if part in by_part else "" for part in SHARES),
            ]
        )
    header = ("variant", "what", "GMAC", "GiMAC", *KINDS, *SHARES)
    return markdown.table(header, cells, "llr")


def _parts(rows: Sequence[Entry]) -> str:
    known = [row for row in rows if "interim_frames" in row]
    cells = [
        [
            markdown.code(row["variant"]),
            f"{row['params']:,}",
            *(f"{row['params_by_part'].get(part, 0):,}" for part in PARTS),
            f"{sum(n for part, n in row['params_by_part'].items() if part not in PARTS):,}",
        ]
        for row in known
    ]
    return markdown.table(("variant", "all", *PARTS, "other"), cells, "lr")


def _measured(rows: Sequence[Entry], tables: Tables) -> str:
    speed = tables.table("6")
    printed = {row.variant: speed.printed(row, "Speed(FPS)") for row in speed.rows if row.variant}
    for variant, row in rows_by_variant(tables).items():
        printed.setdefault(variant, tables.table("8").printed(row, "Speed (FPS)"))
    cells = [
        [
            markdown.code(row["variant"]),
            f"{row['inference_mib']:.0f}",
            f"{row['training_mib']:.0f}",
            f"{row['checkpointed_mib']:.0f}",
            printed.get(row["variant"], ""),
            *(f"{row[key]:.4f}" if key in row else "" for key in ("speed", "speed_given_frames")),
        ]
        for row in rows
        if "inference_mib" in row
    ]
    header = (
        *("variant", "inference, MiB", "training, MiB", "checkpointed, MiB"),
        *("paper, FPS", "speed", "frames given"),
    )
    return (
        "Peaks of one window in fp32 and pure torch, without weights, moments and the kernels' "
        "workspace. A training step holds its gradients; checkpointed, it computes encoder layers "
        "again in its backward pass. Speed is windows a second over those of the single-frame "
        "HRNet in the same run, with VFIT inside and with interim frames given; the paper's ratio "
        "is its FPS over 54.4.\n\n"
    ) + markdown.table(header, cells, "lr")
