"""Makes Tables II, III, IV and VII, the paper's ablations, row for row."""

from tips.tables import markdown
from tips.tables.compared import Line, comparison, lines, table_sheet
from tips.tables.published import Table
from tips.tables.sheet import Page, Section, Sheet

NOTED = "\nWhere the paper contradicts itself or leaves something open:\n\n"


def heading(table: Table) -> str:
    """Says what a reader needs before the rows: the dataset of printed ones, and the baseline."""
    parts = [f"Published on {table.dataset}."] if table.dataset else []
    if table.baseline:
        parts.append(f"Gains are over `{table.baseline}`, intervals are 95 %.")
    return " ".join(parts) + "\n\n"


def noted(table: Table) -> str:
    """Gives the notes of tables.yaml under their heading; "" if there are none."""
    return NOTED + markdown.bullets(table.notes) if table.notes else ""


def title(table: Table) -> str:
    """Gives the title of the table's section."""
    return f"Table {table.roman}: {table.title.lower()}"


def _sheet(name: str) -> Sheet[Line]:
    def section(page: Page) -> Section:
        table = page.tables.table(name)
        rows = markdown.table(*comparison(page.of(sheet), table))
        return Section(title(table), heading(table) + rows + noted(table))

    sheet = table_sheet(name, Line, lines, section)
    return sheet


COMPONENTS = _sheet("2")
ARCHITECTURE = _sheet("3")
OBJECTIVES = _sheet("4")
POINTS = _sheet("7")
