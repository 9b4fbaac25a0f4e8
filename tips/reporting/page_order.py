"""The parts of the report's page, in their order: the tables between what opens and closes it."""

from collections.abc import Callable
from typing import Final

from tips.reporting import appendix, chains, cost, sections, sequences
from tips.tables.contents import SHEETS
from tips.tables.sheet import Page, Section
from tips.tables.state_of_the_art import STATE_OF_THE_ART

Part = Callable[[Page], Section]
QUOTED: Final = tuple(STATE_OF_THE_ART.values())  # mostly the paper's numbers, so they come late
CONTENTS: Final[tuple[Part, ...]] = (
    sections.opening,
    sections.introduction,
    sections.short_answer,
    *(sheet.section for sheet in SHEETS if sheet.section and sheet not in QUOTED),
    sequences.section,
    appendix.grouping,
    appendix.pictures,
    appendix.training,
    *(sheet.section for sheet in QUOTED if sheet.section),
    cost.section,
    appendix.deviations,
    appendix.time,
    chains.section,
    appendix.provenance,
)
