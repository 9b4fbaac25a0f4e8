"""Rows of conclusions say what was found, and what would decide it."""

import re

import pytest
import typed

from tips.evaluation.power import Spread, needs
from tips.tables.claims import ClaimRow, checked, needed
from tips.tables.published import load_tables

TABLES = load_tables(typed.EXPERIMENTS / "tables.yaml")
CELLS = {"expects": "more", "margin": "0.5", "n_sequences": "130", "table_roman": "II"}
CHECKED = {"p_adjusted": "0.2000", "sequences_sd": "0.1500", "seeds_sd": "0.3000"}


def claim(**cells: str) -> ClaimRow:
    return typed.row(ClaimRow, **(CELLS | {"row": "e", "than": "b", "n_seeds": "1"} | cells))


def test_a_claim_over_a_surrogate_says_so() -> None:
    said = {"claim": "TIPS beats TDMI", "than_origin": "re-implemented, MI surrogate"}
    assert claim(**said).said == "TIPS beats TDMI (re-implemented, MI surrogate)"
    other = said | {"than_origin": "re-implemented"}
    assert claim(**other).said == "TIPS beats TDMI"


def test_names_are_short_and_every_conclusion_has_its_own() -> None:
    names = [
        claim(table_roman=t.roman, row=c.row, than=c.than, part=c.part or "").name
        for t in TABLES.tables
        for c in t.claims
    ]
    assert len(set(names)) == len(names)
    assert {"II:e-b", "V:5-1", "V:5-1:Wrist", "VI:ours-5-ours-3"} <= set(names)


def test_a_part_of_fig_4_is_named_beside_the_rows() -> None:
    assert claim().pair == "(e) - (b)"
    assert claim(row="5", than="1", part="Wrist").pair == "5 - 1, OKS of Wrist"


def test_a_margin_that_is_the_papers_step_says_so() -> None:
    assert claim().within == "±0.5"
    finer = claim(margin="0.2", verdict="equivalent")
    assert finer.within == "±0.2 (the paper's step)"
    assert finer.found == "equivalent within ±0.2"
    assert claim(verdict="undecided").found == "undecided"


def test_only_conclusions_with_a_known_variance_are_counted() -> None:
    unknown = {"p_adjusted": "unknown", "seeds_sd": "unknown", "sequences_sd": "0.1500"}
    missing = dict.fromkeys(CHECKED, "missing")
    rows = [claim(**cells) for cells in (CHECKED, unknown, missing)]
    assert checked(rows) == 1
    assert [row.spread for row in rows] == [Spread(0.15, 0.3, 130, 1), None, None]


@pytest.mark.parametrize(
    ("spread", "kinds"),
    [
        (Spread(0.05, 0.3, 130, 1), [r"\d+ seeds"]),
        (Spread(0.12, 0.3, 130, 1), [r"\d+ seeds, or \d+ seeds on \d+ sequences"]),
        (Spread(0.30, 0.3, 130, 1), [r"\d+ seeds on \d+ sequences"]),
        (Spread(0.05, 0.1, 130, 3), ["no more runs: the true difference may lie between .*"]),
    ],
)
def test_what_would_decide_names_no_plan_that_is_worse_than_another(
    spread: Spread, kinds: list[str]
) -> None:
    said = needed(spread, 0.5, 30)
    assert any(re.fullmatch(kind, said) for kind in kinds), said
    alone, together = needs(spread, 0.5, 30)
    if " on " in said:
        assert f"{together.seeds} seeds on {together.sequences} sequences" in said
        assert alone is None or together.seeds < alone
