"""What the reproducibility checklist is answered from: a study's records, tables and data."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import tips
from tips.data.releases import RELEASES, Release
from tips.reporting import appendix, deviations
from tips.tables import markdown, runs, sources
from tips.tables.compared import Line
from tips.tables.contents import SHEETS
from tips.tables.runs import RunFile
from tips.tables.sheet import Page
from tips.tables.sources import Manifest, Provenance

PROJECT: Final = Path(tips.__file__).parents[1]


class Answer(NamedTuple):
    """The answer to one item, and what shows it, in Markdown."""

    word: Literal["yes", "no", "not applicable", "unknown"]
    shown_by: str


class Facts(NamedTuple):
    """What the answers are read from."""

    page: Page
    trained: list[Provenance]  # the records of the trainings that there are
    measured: list[RunFile]  # every run that should be measured, with its state
    manifest: Manifest
    departures: int

    @property
    def trainings(self) -> int:
        """The number of runs that the study should have."""
        return sum(variant.seeds for variant in self.page.study.variants.values())

    @property
    def lines(self) -> list[Line]:
        """The measured rows of the tables that compare."""
        rows = [row for sheet in SHEETS if sheet.compares for row in self.page.of(sheet)]
        return [row for row in rows if row.measured]

    @property
    def release(self) -> Release | None:
        """The published dataset that the study uses, if it is one."""
        name = self.page.study.scale.dataset.release
        return None if name is None else RELEASES[name]

    @property
    def rendered(self) -> bool:
        """Whether the study renders its data."""
        return self.page.study.scale.dataset.embedded is not None


def facts(page: Page) -> Facts:
    """Gathers them from the files of a study. Raises RecordError if a file is malformed."""
    wanted = runs.wanted(page.study, page.tables)
    return Facts(
        page,
        [run.provenance for run in appendix.run_records(page)],
        runs.find(wanted, page.paths, judge=None),
        sources.read_if_present(Manifest, page.paths.manifest) or Manifest(),
        len(deviations.collect(PROJECT)),
    )


def complete(done: int, all_: int, sentence: str) -> Answer:
    """Answers yes if all is done, no if a part is, and unknown if nothing is.

    Args:
        done: how many of the parts the files show.
        all_: how many parts there should be.
        sentence: what shows it, in Markdown.
    """
    word: Literal["yes", "no", "unknown"] = "yes" if done == all_ else "no"
    return Answer(word if done else "unknown", sentence)


def scale_file(scale: str) -> str:
    """Names the file of a scale."""
    return markdown.code(f"experiments/scales/{scale}.yaml")


def listed(items: Iterable[object]) -> str:
    """Writes items with commas between them."""
    return ", ".join(map(str, items))
