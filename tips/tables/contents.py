"""The list of all tables, in the order of the report.

This is the only such list. The workflow's outputs, `tabulate`, `tips why`, MLflow, the report with
its drawings and the tests read it. A further table is one file of this folder and one line here.
"""

from typing import Any, Final

from tips.tables.ablations import ARCHITECTURE, COMPONENTS, OBJECTIVES, POINTS
from tips.tables.claims import CLAIMS
from tips.tables.controls import CONTROLS
from tips.tables.groups import FIGURE_4, GROUPS
from tips.tables.guest_rows import GUESTS
from tips.tables.interim import INTERIM
from tips.tables.interim_quality import INTERIM_WORTH
from tips.tables.length import LENGTH
from tips.tables.methods import METHODS
from tips.tables.own_variants import BESIDE, VARIANTS
from tips.tables.same_variant import SAME_VARIANT
from tips.tables.sheet import Sheet
from tips.tables.speed import SPEED
from tips.tables.state_of_the_art import STATE_OF_THE_ART
from tips.tables.subsets import SUBSETS_TABLE
from tips.tables.synthesis_error import SYNTHESIS

SHEETS: Final[tuple[Sheet[Any], ...]] = (
    CLAIMS,
    COMPONENTS,
    ARCHITECTURE,
    OBJECTIVES,
    GROUPS,
    FIGURE_4,
    SPEED,
    POINTS,
    METHODS,
    GUESTS,
    INTERIM_WORTH,
    SYNTHESIS,
    SUBSETS_TABLE,
    LENGTH,
    CONTROLS,
    VARIANTS,
    BESIDE,
    SAME_VARIANT,
    INTERIM,
    *STATE_OF_THE_ART.values(),
)
