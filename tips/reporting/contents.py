"""The table of contents: every table and every part of the report, in the order of the page.

This is the one list of tables. The workflow's outputs, `tabulate`, the report, its drawings and the
tests read it; a further table is one file in tips/tables and one line here.
"""

from collections.abc import Callable
from typing import Any, Final

from tips.reporting import appendix, cost, sections
from tips.tables.ablations import ARCHITECTURE, COMPONENTS, OBJECTIVES, POINTS
from tips.tables.claims import CLAIMS
from tips.tables.controls import CONTROLS, VARIANTS
from tips.tables.groups import FIGURE_4, GROUPS
from tips.tables.interim import INTERIM
from tips.tables.interim_quality import INTERIM_WORTH
from tips.tables.methods import METHODS
from tips.tables.peers import PEER_ROWS
from tips.tables.same_variant import SAME_VARIANT
from tips.tables.sheet import Page, Section, Sheet
from tips.tables.speed import SPEED
from tips.tables.state_of_the_art import STATE_OF_THE_ART
from tips.tables.subsets import SUBSETS_TABLE
from tips.tables.synthesis_error import SYNTHESIS

Part = Callable[[Page], Section]
CONTENTS: Final[tuple[Sheet[Any] | Part, ...]] = (
    sections.introduction,
    sections.short_answer,
    CLAIMS,
    COMPONENTS,
    ARCHITECTURE,
    OBJECTIVES,
    GROUPS,
    FIGURE_4,
    SPEED,
    POINTS,
    METHODS,
    INTERIM_WORTH,
    SYNTHESIS,
    SUBSETS_TABLE,
    CONTROLS,
    VARIANTS,
    PEER_ROWS,
    SAME_VARIANT,
    INTERIM,
    appendix.grouping,
    appendix.pictures,
    appendix.training,
    *STATE_OF_THE_ART.values(),
    cost.section,
    appendix.deviations,
    appendix.time,
    appendix.provenance,
)
SHEETS: Final[tuple[Sheet[Any], ...]] = tuple(one for one in CONTENTS if isinstance(one, Sheet))
