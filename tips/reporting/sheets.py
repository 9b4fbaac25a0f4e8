"""What every table of results/tables holds."""

import math
from collections.abc import Sequence

from tips import skeleton
from tips.config import Study
from tips.evaluation.synthesis import synthesis_table
from tips.paths import Paths
from tips.reporting import methods, rows, sources, speed, view, worth
from tips.reporting.collect import FIGURE_4, SYNTHESIS, Collected
from tips.evaluation.measure import SUBSETS
from tips.reporting.published import Table, Tables
from tips.reporting.rows import Line, plain, signed, verdict
from tips.reporting.runs import Group
from tips.reporting.tables import Sheet

STATE_OF_THE_ART = 8  # from this table on
EFFECTS = {"above": "shows", "below": "opposite sign"}


def all_sheets(study: Study, paths: Paths, tables: Tables, found: Collected) -> list[Sheet]:
    """Every sheet of results/tables."""
    shown = (*tables.tables, rows.your_variants(tables, study))
    sheets = [compared(table, tables, study, paths, found) for table in shown]
    sheets += [
        claims(tables, study, found),
        synthesis(tables, study, found),
        subsets(study, found),
        same_variant(study, found),
        interim(study, paths),
    ]
    return sheets


def compared(table: Table, tables: Tables, study: Study, paths: Paths, found: Collected) -> Sheet:
    """One of Tables II-XI, ours and `variants`: the columns that all have, then its own."""
    lines = rows.lines(table, study, found.results)
    header, extra = _extra(table, study, paths, lines, found)
    origins = [tables.origin(row) for row in table.rows]
    cells = tuple(
        (*line.cells(), *more, origin)
        for line, more, origin in zip(lines, extra, origins, strict=True)
    )
    title = f"Table {table.roman}: {table.title}" if table.roman else table.title
    columns = (*rows.COLUMNS, *header, "origin")
    if table.name.isdigit() and int(table.name) >= STATE_OF_THE_ART:
        reader = (table.columns, tuple(row.printed for row in table.rows))
    else:
        shown = view.comparison([dict(zip(columns, row, strict=True)) for row in cells])
        reader = (shown.header, tuple(map(tuple, shown.cells)))
    return Sheet(f"table-{table.name}", title, columns, cells, *reader)


def _extra(
    table: Table, study: Study, paths: Paths, lines: Sequence[Line], found: Collected
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns that only some tables have."""
    if table.name == speed.NAME:
        return speed.COLUMNS, speed.extra(table, study, paths)
    if table.name == FIGURE_4:
        return ("groups", "joints", "ARI"), [
            _grouping(int(row.printed[0]), paths) for row in table.rows
        ]
    if table.name == methods.NAME:
        return methods.COLUMNS, methods.extra(table, lines, study, paths, found.results)
    if table.name == worth.NAME:
        return worth.COLUMNS, worth.extra(lines, study, paths, found.results)
    if not table.name.isdigit() or int(table.name) < STATE_OF_THE_ART:
        return (), [()] * len(table.rows)
    ours = tuple(f"ours_{part}" for part in skeleton.COLUMNS)
    cells = [
        (*row.printed[1:], *_columns(line, found))
        for row, line in zip(table.rows, lines, strict=True)
    ]
    return (*table.columns[1:], *ours), cells


def _columns(line: Line, found: Collected) -> tuple[str, ...]:
    """Our seven columns of one row, mean over seeds; empty where the row is quoted only."""
    if line.group is None:
        return ("",) * len(skeleton.COLUMNS)
    seeds = found.columns.get(line.group)
    if not seeds:
        return (line.status,) * len(skeleton.COLUMNS)
    return tuple(_number(_mean([seed[part] for seed in seeds]), 2) for part in skeleton.COLUMNS)


def _grouping(count: int, paths: Paths) -> tuple[str, ...]:
    groups = skeleton.GROUPS[count]
    joints = " | ".join(
        f"{name}: {' '.join(skeleton.JOINTS[j] for j in ids)}" for name, ids in groups.items()
    )
    found = sources.read_if_present(sources.Grouping, paths.groups(str(count)))
    return str(count), joints, "" if found is None or found.ari is None else plain(found.ari)


def claims(tables: Tables, study: Study, found: Collected) -> Sheet:
    """What the paper concludes, row against row: its difference, ours, and whether it shows."""
    cells = []
    for table in tables.tables:
        for claim in table.claims:
            pair = [table.row(claim.row), table.row(claim.than)]
            papers = [table.paper(row) for row in pair]
            boxes = study.scale.evaluation.boxes
            groups = [Group(str(row.variant), boxes) for row in pair]
            gain = found.results.gain(*groups)
            paper = f"{float(papers[0]) - float(papers[1]):+.1f}" if all(papers) else ""
            ours = ("missing",) * 4
            if gain is not None:
                word = EFFECTS.get(verdict(gain), verdict(gain))
                ours = (signed(gain.difference), signed(gain.low), signed(gain.high), word)
            start = (table.name, table.roman, claim.says, claim.row, claim.than)
            cells.append((*start, paper, *ours, tables.origin(pair[1])))
    header = (
        "table",
        "table_roman",
        "claim",
        "row",
        "than",
        "paper",
        "ours",
        "low",
        "high",
        "verdict",
        "than_origin",
    )
    return Sheet("table-claims", "What the paper concludes", header, tuple(cells))


def synthesis(tables: Tables, study: Study, found: Collected) -> Sheet:
    """Table S: error of synthesized poses at the true in-between joints."""
    cells: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in SYNTHESIS:
        table = tables.table(name)
        for row in table.rows:
            group = Group(row.variant or "", study.scale.evaluation.boxes)
            if row.variant is None or row.variant in seen or not _synthesizes(row.variant, study):
                continue
            seen.add(row.variant)
            label = row.label + _untrained(row.variant, study)
            start = (f"{table.roman} {row.row}", label, row.variant)
            status = found.results.status(group)
            by_time = found.between.get(group, {})
            if not by_time:
                word = status if status in ("failed", "missing") else "missing"
                cells.append((*start, "", "", "", "0", word, word, word))
            for time, samples in by_time.items():
                cells += [
                    (
                        *start,
                        f"{time:g}",
                        one.source,
                        _quartile(one.quartile),
                        str(one.n),
                        _number(one.error, 3),
                        _number(one.pckh, 2),
                        status,
                    )
                    for one in synthesis_table(samples)
                ]
    header = ("rows", "label", "variant", "time", "source", "quartile", "n", "error", "pckh")
    title = "Table S: error of synthesized poses at the true in-between joints"
    return Sheet("table-S", title, (*header, "status"), tuple(cells))


def _untrained(variant: str, study: Study) -> str:
    """A remark where no loss reaches the head that reads the synthesized poses."""
    weights = study.variants[variant].experiment.weights
    return "" if "trajectory" in weights else " (no loss trains this reading)"


def _synthesizes(variant: str, study: Study) -> bool:
    return variant in study.variants and bool(study.variants[variant].experiment.points)


def subsets(study: Study, found: Collected) -> Sheet:
    """AP on clean frames, degraded frames and hidden joints, mean over seeds, for every row.

    A measured row has `-` where the dataset does not say what is clean, degraded or hidden.
    """
    cells = []
    for group, seeded in found.results.groups.items():
        values = found.subsets.get(group, [])
        word = seeded.status if seeded.row is None else "-"
        parts = [
            _number(_mean([value[name] for value in values]), 2)
            if values and all(name in value for value in values)
            else word
            for name in SUBSETS
        ]
        total = word if seeded.mean is None else plain(seeded.mean)
        cells.append(
            (
                group.variant,
                group.boxes,
                total,
                *parts,
                str(seeded.n),
                seeded.status,
                study.scale.name,
            )
        )
    header = ("variant", "boxes", "all", *SUBSETS, "n_seeds", "status", "scale")
    return Sheet("table-subsets", f"{study.scale.dataset.metric} on subsets", header, tuple(cells))


def same_variant(study: Study, found: Collected) -> Sheet:
    """The A/A check and the seed deviations that every interval uses."""
    check = found.results.same_variant()
    variance = found.results.variance
    cells = (
        study.scale.name,
        str(found.sequences),
        str(check.pairs),
        str(check.separable),
        _number(check.share, 3),
        _number(math.sqrt(variance.shared), 2),
        _number(math.sqrt(variance.seeded), 2),
        str(variance.remembered),
    )
    start = ("scale", "sequences", "pairs", "separable", "share")
    header = (*start, "s_shared", "s_seeded", "remembered")
    return Sheet("table-AA", "A/A check", header, (cells,))


def interim(study: Study, paths: Paths) -> Sheet:
    """PSNR of the rough interim frames of every generator."""
    cells = []
    for name in study.scale.interim:
        quality = sources.read_if_present(sources.Psnr, paths.interim(name) / "psnr.json")
        for split in ("train", "val"):
            one = getattr(quality, split) if quality else None
            if one is None:
                cells.append((name, split, "missing", "0", "missing"))
            else:
                cells.append((name, split, _number(one.mean, 2), str(one.n), "done"))
    return Sheet(
        "interim", "Interim frames", ("generator", "split", "psnr", "n", "status"), tuple(cells)
    )


def figure_4(tables: Tables, study: Study, found: Collected) -> Sheet:
    """Fig. 4 as numbers: seven parts and their mean over N, percent, mean over seeds."""
    cells = []
    for row in tables.table(FIGURE_4).rows:
        group = Group(str(row.variant), study.scale.evaluation.boxes)
        seeds = found.parts.get(group, [])
        status = found.results.status(group)
        word = status if status in view.NUMBERLESS else "missing"  # JHMDB's runs have no OKS
        for part in (*skeleton.COLUMNS, "Mean"):
            oks = _number(_mean([seed.oks[part] for seed in seeds]), 2) if seeds else word
            ap = _number(_mean([seed.ap[part] for seed in seeds]), 2) if seeds else word
            cells.append((row.printed[0], part, oks, ap, str(len(seeds)), status))
    header = ("groups", "part", "oks", "ap", "n", "status")
    return Sheet("figure-4", "Fig. 4: OKS and AP over the number of groups", header, tuple(cells))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _number(value: float | None, digits: int) -> str:
    """A number, or "" where there is nothing to compute it from (NaN)."""
    if value is None or math.isnan(value):
        return ""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _quartile(number: int) -> str:
    return str(number) if number else "all"
