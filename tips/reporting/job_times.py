"""Sums where the time of a study went, from the benchmark files that Snakemake writes."""

import csv
from pathlib import Path
from typing import NamedTuple

from tips.records import RecordError
from tips.temporaries import visible


class Spent(NamedTuple):
    """One kind of rule: number of jobs, their wall and CPU time in all, and the longest, in s."""

    rule: str
    jobs: int
    wall: float
    cpu: float
    longest: float


def read(benchmarks: Path, installed: Path = Path(".venv/installed")) -> list[Spent]:
    """Sums the files {rule}/**/*.tsv and {rule}.tsv of a folder by rule; the longest sum is first.

    Args:
        benchmarks: the folder.
        installed: the file with the seconds of the installation, which `make` may have written.

    Raises:
        RecordError: a file lacks the columns `s` and `cpu_time`.
    """
    times: dict[str, list[tuple[float, float]]] = {}
    for path in visible(benchmarks, "**/*.tsv"):
        inside = path.relative_to(benchmarks)
        rule = inside.parts[0] if len(inside.parts) > 1 else inside.stem
        times.setdefault(rule, []).extend(_rows(path))
    text = installed.read_text(encoding="utf-8").strip() if installed.is_file() else ""
    if text.isdigit():
        times["install"] = [(float(text), 0.0)]
    spent = [
        Spent(
            rule=rule,
            jobs=len(jobs),
            wall=sum(wall for wall, _ in jobs),
            cpu=sum(cpu for _, cpu in jobs),
            longest=max(wall for wall, _ in jobs),
        )
        for rule, jobs in times.items()
        if jobs
    ]
    return sorted(spent, key=lambda one: (-one.wall, one.rule))


def of_variant(benchmarks: Path, rule: str, variant: str) -> list[float]:
    """Lists the wall times of a rule's jobs for one variant, s, from {rule}/{variant}-{seed}.tsv.

    Args:
        benchmarks: the folder.
        rule: the name of the rule.
        variant: the name of the variant.

    Raises:
        RecordError: a file lacks the columns `s` and `cpu_time`.
    """
    files = visible(benchmarks / rule, f"{variant}-*.tsv")
    own = [file for file in files if file.stem.removeprefix(f"{variant}-").isdigit()]
    return [wall for file in own for wall, _ in _rows(file)]


def of_job(benchmarks: Path, rule: str, job: str) -> float | None:
    """Gives the wall time of one job, s, from {rule}/{job}.tsv; None if there is no such file.

    Args:
        benchmarks: the folder.
        rule: the name of the rule.
        job: the values of the job's wildcards, joined by hyphens.

    Raises:
        RecordError: the file lacks the columns `s` and `cpu_time`.
    """
    file = benchmarks / rule / f"{job}.tsv"
    return sum(wall for wall, _ in _rows(file)) if file.is_file() else None


def _rows(path: Path) -> list[tuple[float, float]]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    try:
        return [(_seconds(row["s"]), _seconds(row["cpu_time"])) for row in rows]
    except (KeyError, ValueError) as error:
        raise RecordError(
            f"{path}: not a Snakemake benchmark ({error}); delete it and run the rule again"
        ) from error


def _seconds(cell: str) -> float:
    """Reads a cell; Snakemake writes "-" or "NA" if a job was too short to be sampled."""
    return 0.0 if cell in {"-", "NA", ""} else float(cell)
