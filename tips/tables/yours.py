"""Finds the variants of a study that are its user's own, and the rows to compare each with."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from tips.config import BACKBONE, ConfigError, Study
from tips.config.asked import Asked, Expected, rows_beside
from tips.config.loader import read_asked, variant_files
from tips.tables.published import MARGIN, Row, Table, Tables

YOURS: Final = "Your variants"


class Beside(NamedTuple):
    """One variant of the user's beside one row of the study."""

    variant: str
    than: str
    expects: Expected | None
    margin: Decimal  # points


def your_variants(tables: Tables, study: Study) -> Table:
    """Makes a table of every variant of the study that the project's own tables do not need.

    A table needs the variants that it names, and the stages one of these.
    """
    names = sorted(study.variants.keys() - _needed(tables, study), key=[*study.variants].index)
    titles = {name: study.variants[name].experiment.title for name in names}
    return Table(
        name="variants",
        roman="",
        title=YOURS,
        dataset=None,
        columns=(),
        value=None,
        baseline=BACKBONE,
        notes=(),
        claims=(),
        rows=tuple(
            Row(row=name, label=" ".join(title.split()), variant=name, printed=())
            for name, title in titles.items()
        ),
    )


def project_variants(tables: Tables, study: Study) -> list[str]:
    """Lists the other variants. No number of theirs depends on whose else are in the study."""
    needed = _needed(tables, study)
    return [name for name in study.variants if name in needed]


def _needed(tables: Tables, study: Study) -> frozenset[str]:
    named = tables.named & study.variants.keys()
    seconds = [name for name in named if not study.variants[name].experiment.first_stage]
    return named | {study.stage_one(name) for name in seconds}


def comparisons(tables: Tables, study: Study, experiments: Path) -> tuple[Beside, ...]:
    """Lists what the files of the user's own variants ask to compare them with.

    Args:
        tables: the published tables.
        study: the scale with its variants.
        experiments: the folder of the files.

    Raises:
        ConfigError: a file compares its variant with what the study lacks, or asks this for a
            variant that a table of the project has.
    """
    return tuple(_comparisons(_needed(tables, study), study, experiments))


def _comparisons(needed: frozenset[str], study: Study, experiments: Path) -> Iterator[Beside]:
    files = variant_files(experiments)
    for name in study.variants:
        file = files[name]
        asked = read_asked(file)
        if name in needed:
            _refuse_asking(name, asked, file)
            continue
        margin = MARGIN if asked.margin is None else Decimal(str(asked.margin))
        for row in rows_beside(name, asked, study, str(file)):
            yield Beside(name, row, asked.expect, margin)


def _refuse_asking(name: str, asked: Asked, file: Path) -> None:
    """Raises ConfigError if a row of the paper's tables asks for comparisons of its own."""
    key = next((key for key in ("compare", "expect", "margin") if getattr(asked, key)), None)
    if key is not None:
        raise ConfigError(
            f"{file}: {key}: '{name}' is a row of experiments/tables.yaml, whose `claims` say what "
            "it is compared with; ask this of a variant of your own (tips new)"
        )
