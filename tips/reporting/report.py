"""The report of one study: sections in reading order, made from the tables and the run folders."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tips.config import Study
from tips.paths import Paths
from tips.proofs import read_proofs
from tips.reporting import (
    background,
    cost,
    drawn,
    ledger,
    markdown,
    methods,
    sections,
    sources,
    view,
    worth,
)
from tips.reporting.background import RunRecord
from tips.reporting.deviations import Deviation
from tips.reporting.peers import peers_section
from tips.reporting.published import Tables
from tips.reporting.sections import Section
from tips.reporting.sources import Step
from tips.reporting.view import Row

RESULTS = (
    *(f"table-{number}" for number in range(2, 12)),
    "table-C",
    "table-M",
    "table-I",
    "table-variants",
    "table-S",
    "table-subsets",
    "table-claims",
    "table-AA",
    "interim",
)


def title(study: Study, paths: Paths) -> str:
    """The first line of every page."""
    return f"TIPS reproduced: scale {study.scale.name}, dataset {paths.dataset}"


def read_sheets(paths: Paths) -> dict[str, list[Row]]:
    """Reads every CSV that the report shows. Raises RecordError."""
    sheets = {name: view.read(paths.table(name)) for name in RESULTS}
    return sheets | {"figure-4": view.read(paths.results / "figures" / "figure-4.csv")}


def build(
    study: Study,
    paths: Paths,
    tables: Tables,
    networks: Tables,
    departures: Sequence[Deviation],
    root: Path,
) -> list[Section]:
    """Draws the figures and writes every section.

    Args:
        study: the scale with its variants.
        paths: of the study.
        tables: the published tables, as they name this study's variants.
        networks: the same with the variants of the paper's size.
        departures: of the code from the paper.
        root: of the repository.

    Raises:
        RecordError: a table is missing, or a side file is malformed.
    """
    sheets = read_sheets(paths)
    page, metric = paths.reports, study.scale.dataset.metric
    curves = _curves(study, paths)
    speed = sources.read_if_present(sources.Speed, paths.speed)
    forest = drawn.gains(sheets, metric, page)
    answer = sections.short_answer(sheets, metric)
    shown = "".join("\n" + markdown.image(*picture) for picture in forest)
    counts = study.scale.group_counts
    interim_worth = worth.part(tables.table(worth.NAME), sheets["table-I"])
    return [
        sections.introduction(study.scale.note),
        answer._replace(body=answer.body.replace(sections.LISTED, shown + sections.LISTED)),
        *_ablations(sheets, tables, speed, page),
        methods.section(tables.table(methods.NAME), sheets["table-M"], study),
        sections.synthesis(sheets["table-S"]),
        sections.subsets(sheets["table-subsets"], metric),
        sections.controls(tables.table("C"), sheets["table-C"], sheets["table-variants"]),
        peers_section(study, paths),
        sections.reliability(sheets["table-AA"][0]),
        sections.interim(sheets["interim"], interim_worth, study),
        background.grouping(counts, paths, drawn.groups(counts, paths)),
        background.pictures(drawn.left(page)),
        background.training(curves, drawn.losses(curves, page)),
        sections.state_of_the_art(tables, sheets),
        cost.section(paths.cost, paths.bench, networks),
        background.deviations(departures, os.path.relpath(root, page)),
        background.time(ledger.read(paths.results / "benchmarks")),
        background.provenance(_records(study, paths), page, read_proofs(paths.proofs)),
    ]


def _ablations(
    sheets: Mapping[str, Sequence[Row]], tables: Tables, speed: sources.Speed | None, page: Path
) -> list[Section]:
    made = []
    for number in range(2, 8):
        table, rows = tables.table(str(number)), sheets[f"table-{number}"]
        if table.name == "5":
            figure = drawn.figure_4(sheets["figure-4"], page)
            words = "Fig. 4: seven parts and their mean over the number of groups"
            picture = markdown.image(words, figure) + "\n"
            picture += sections.figure_4_numbers(sheets["figure-4"])
            made.append(sections.groups_table(table, rows, picture))
        else:
            made.append(sections.compared(table, rows, speed))
    return made


def _folders(study: Study, paths: Paths) -> list[tuple[str, int, Path]]:
    return [
        (name, seed, paths.run(name, str(seed)))
        for name, variant in study.variants.items()
        for seed in range(variant.seeds)
    ]


def _curves(study: Study, paths: Paths) -> dict[str, list[Step]]:
    curves = {}
    for name, seed, folder in _folders(study, paths):
        log = folder / "train.jsonl"
        steps = sources.steps(log) if log.is_file() else []
        if steps:
            curves[f"{name} / {seed}"] = steps
    return curves


def _records(study: Study, paths: Paths) -> list[RunRecord]:
    records = []
    for _, _, folder in _folders(study, paths):
        found = sources.read_if_present(sources.Provenance, folder / "provenance.json")
        if found is not None:
            records.append(RunRecord(found, folder))
    return records
