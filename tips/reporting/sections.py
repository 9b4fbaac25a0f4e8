"""Writes the report's first two sections: what it is, and the answer in short."""

from tips.reporting.chains import pair
from tips.reporting.conclusions import answer, how_decided, sentence
from tips.safe_text import paragraph
from tips.tables import markdown
from tips.tables.ablations import COMPONENTS
from tips.tables.claims import CLAIMS, p_text
from tips.tables.sheet import Page, Section

LISTED = "\n### The conclusions one by one\n\n"
HEADER = (
    *("table", "what the paper concludes", "rows", "paper", "ours [95 %]"),
    *("margin", "p (Holm)", "here", "what would decide it"),
)


def opening(page: Page) -> Section:
    """Gives the answer in one sentence and one figure, and says what the numbers are worth."""
    body = f"**{sentence(page)}**\n\n{paragraph(page.study.scale.note)}\n\n"
    return Section("The answer", body + page.pictures[CLAIMS.stem])


def introduction(page: Page) -> Section:
    """Says what the page is, and what it does not claim."""
    body = (
        "TIPS estimates a person's pose in a video frame from a window of frames: it synthesizes "
        "poses *between* neighbouring frames and distils what groups of body parts share. This "
        "page sets the paper's ablations (Tables II-VII, Fig. 4) and the networks that it compares "
        "itself with (Table M) beside trainings of re-implementations on the same data, boxes and "
        "backbone.\n\n"
        + markdown.bullets(
            [
                "**Compare gains, not levels.** The question is whether the same change moves "
                "the number the same way.",
                "Every gain has a 95 % interval: resampled validation sequences plus the variance "
                "between seeds. Where it holds zero the page says *not separable* and nothing "
                "more; where seeds or sequences are too few for one, it says *unknown*.",
                "All variants and seeds share one frozen stage-one backbone where the scale says "
                "so; seeds then vary the second stage only.",
                "*missing*, *failed*, *partial*, *stale* (made by other code than the present one; "
                "the note says what changed) and *published only* mean what they say.",
            ]
        )
    )
    return Section("What this is", body)


def short_answer(page: Page) -> Section:
    """Writes the answer from the tables: sentences, the gains drawn, and every conclusion."""
    rows = page.of(CLAIMS)
    cells = [
        [
            *(row.table_roman, row.said, pair(page, row), row.paper, row.gain.text),
            *(row.within, p_text(row.p_adjusted), row.found, row.decides),
        ]
        for row in rows
    ]
    listed = markdown.table(HEADER, cells, "lllrrrrll")
    body = (
        answer(page) + page.pictures[COMPONENTS.stem] + LISTED + how_decided(rows) + "\n" + listed
    )
    return Section("The answer in short", body)
