"""Makes the report of one study: reads its tables, draws its pictures, writes its sections."""

from tips.config import Study
from tips.paths import Paths
from tips.reporting import charts
from tips.reporting.page_order import CONTENTS
from tips.tables import markdown
from tips.tables.ablations import COMPONENTS
from tips.tables.claims import CLAIMS
from tips.tables.contents import SHEETS
from tips.tables.groups import FIGURE_4
from tips.tables.published import Tables
from tips.tables.sheet import Page, Section


def title(study: Study, paths: Paths) -> str:
    """Gives the first line of every page."""
    return f"TIPS reproduced: scale {study.scale.name}, dataset {paths.dataset}"


def open_page(study: Study, paths: Paths, tables: Tables) -> Page:
    """Reads every table of a study, and draws its figures.

    Args:
        study: the scale with its variants.
        paths: the paths of the study.
        tables: the published tables, whose rows name this study's variants.

    Raises:
        RecordError: a table is missing, or another file is malformed.
    """
    rows = {sheet.stem: sheet.read(paths) for sheet in SHEETS if sheet.fill is not None}
    page = Page(study, paths, tables, rows, {})
    return page._replace(pictures=_pictures(page))


def build(page: Page) -> list[Section]:
    """Writes every section. Raises RecordError if a table lacks a row, or a file is malformed."""
    return [write(page) for write in CONTENTS]


def _pictures(page: Page) -> dict[str, str]:
    """Draws the tables' pictures; gives Markdown by the stem of the table that they belong to."""
    folder, metric = page.paths.reports, page.study.scale.dataset.metric
    compared = [row for sheet in SHEETS if sheet.compares for row in page.of(sheet)]
    forest = charts.gains(compared, metric, folder)
    words = "Fig. 4: seven parts and their mean over the number of groups"
    parts = markdown.image(words, charts.figure_4(page.of(FIGURE_4), folder))
    return {
        CLAIMS.stem: markdown.image(*charts.verdicts(page.of(CLAIMS), metric, folder)),
        COMPONENTS.stem: "".join("\n" + markdown.image(*picture) for picture in forest),
        FIGURE_4.stem: f"{parts}\n",
    }
