from pathlib import Path

import pytest

from tips.evaluation.intervals import Interval
from tips.records import RecordError
from tips.reporting import view
from tips.reporting.rows import COLUMNS, plain, signed, verdict


def row(**cells: str) -> dict[str, str]:
    empty = dict.fromkeys(COLUMNS, "")
    return empty | {"row": "e", "status": "done", "n_seeds": "3"} | cells


def interval(difference: float, half: float, separable: bool) -> Interval:
    low, high = difference - half, difference + half
    return Interval(difference, low, high, separable, 1.0, 0.5, 3, False)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (interval(1.0, 2.0, False), "not separable"),
        (interval(3.0, 2.0, True), "above"),
        (interval(-3.0, 2.0, True), "below"),
        (interval(3.0, 2.0, False), "not separable"),  # the variance between seeds is unknown
    ],
)
def test_verdict_never_says_more_than_the_interval(gain: Interval, words: str) -> None:
    assert verdict(gain) == words


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"verdict": "not separable", "gain_paper": "+1.0"}, "not separable"),
        ({"verdict": "above", "gain_paper": "+1.0"}, "same sign"),
        ({"verdict": "below", "gain_paper": "+1.0"}, "opposite sign"),
        ({"verdict": "above", "gain_paper": "-0.5"}, "opposite sign"),
        ({"verdict": "below", "gain_paper": "-0.5"}, "same sign"),
        ({"verdict": "above"}, "above"),
        ({}, ""),
    ],
)
def test_reading_compares_signs(cells: dict[str, str], words: str) -> None:
    assert view.reading(row(**cells)) == words


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"ours": "36.10", "sd": "0.40"}, "36.10 ± 0.40 (3)"),
        ({"ours": "36.10", "n_seeds": "1"}, "36.10 (1)"),
        (
            {"ours": "36.10", "n_seeds": "2", "status": "partial", "note": "2 of 3 seeds"},
            "36.10 (2) partial: 2 of 3 seeds",
        ),
        (
            {"ours": "missing", "status": "missing", "note": "not part of this scale"},
            "missing: not part of this scale",
        ),
        ({"ours": "failed", "status": "failed", "note": "disk full"}, "failed: disk full"),
        ({"ours": "36.10", "status": "stale"}, "36.10 (3) stale"),
        ({"status": "published"}, "published only"),
    ],
)
def test_our_cell_says_what_is_wrong_with_it(cells: dict[str, str], words: str) -> None:
    assert view.ours(row(**cells)) == words


def test_gain_shows_its_interval_or_why_there_is_none() -> None:
    full = row(gain_ours="+1.20", low="-0.10", high="+2.50")
    assert view.gain(full, "gain_ours", "low", "high") == "+1.20 [-0.10, +2.50]"
    assert view.gain(row(gain_ours="missing"), "gain_ours", "low", "high") == "missing"
    assert len(view.compared(full)) == len(view.COMPARED)


def test_whose_network_is_shown_where_other_papers_stand_beside() -> None:
    mine = row(origin="ours", variant="tips")
    backbone = row(origin="re-implemented", variant="hrnet")
    assert view.comparison([mine, backbone]).header == view.COMPARED
    rival = row(origin="re-implemented, MI surrogate", variant="tdmi")
    for other in (rival, row(origin="published")):
        shown = view.comparison([mine, other])
        assert shown.header.index(view.ORIGIN) == 2
        assert [cells[2] for cells in shown.cells] == ["ours", other["origin"]]
        assert {len(cells) for cells in shown.cells} == {len(shown.header)} == {len(shown.align)}


def test_a_claim_over_a_surrogate_says_so() -> None:
    said = {"claim": "TIPS beats TDMI", "than_origin": "re-implemented, MI surrogate"}
    assert view.claim(said) == "TIPS beats TDMI (re-implemented, MI surrogate)"
    assert view.claim(said | {"than_origin": "re-implemented"}) == "TIPS beats TDMI"


def test_numbers_have_no_negative_zero() -> None:
    assert plain(-0.001) == "0.00"
    assert signed(-0.001) == "+0.00"
    assert signed(-1.005) in ("-1.00", "-1.01")


def test_absent_table_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="run the stage tabulate first"):
        view.read(tmp_path / "table-2.csv")
