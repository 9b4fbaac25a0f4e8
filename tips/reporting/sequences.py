"""Writes the report's section on single sequences: where the full model helps, where it harms."""

from tips.config import BACKBONE, FULL
from tips.reporting import charts
from tips.tables import markdown
from tips.tables.by_sequence import score_sequences
from tips.tables.cells import plain, signed
from tips.tables.sheet import Page, Section

TITLE = "Sequence by sequence"


def section(page: Page) -> Section:
    """Shows the sequences that differ most, with pictures, and lists all of them."""
    scores = score_sequences(page.study, page.paths)
    metric = page.study.scale.dataset.metric
    if not scores:
        return Section(TITLE, "missing: the full model or the backbone has no measured run.\n")
    better = sum(one.difference > 0 for one in scores)
    worse = sum(one.difference < 0 for one in scores)
    body = (
        f"{metric} of every validation sequence by itself, means over seeds: of {len(scores)} "
        f"sequences the full model is better than the single-frame backbone on {better} and worse "
        f"on {worse}. A sequence has few people, so this says where to look and decides nothing.\n"
    )
    found = charts.of_sequences(page.paths.reports)
    body += "".join("\n" + markdown.image(*picture) for picture in found)
    header = ("sequence", "motion", BACKBONE, FULL, "difference")
    rows = [
        [one.name, one.motion, plain(one.backbone), plain(one.full), signed(one.difference)]
        for one in scores
    ]
    listed = markdown.table(header, rows, "llr")
    return Section(TITLE, f"{body}\n{markdown.folded('Every sequence', listed)}")
