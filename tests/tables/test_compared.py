import math
from pathlib import Path

import pytest
import typed

from tips.config import load_study
from tips.evaluation.intervals import Interval
from tips.paths import study_paths
from tips.records import RecordError
from tips.tables import markdown
from tips.tables.ablations import COMPONENTS
from tips.tables.cells import known, plain, signed
from tips.tables.compared import COMPARED, ORIGIN, Line, compared, comparison, gain_from, linked
from tips.tables.published import load_tables
from tips.tables.runs import NOT_IN_SCALE

TWO = load_tables(typed.EXPERIMENTS / "tables.yaml").table("2")


@pytest.mark.parametrize(
    ("difference", "seed_sd", "sequences", "word"),
    [
        (3.0, 1.0, 40, "above"),
        (-3.0, 1.0, 40, "below"),
        (1.0, 1.0, 40, "not separable"),
        (-34.0, 1.0, 39, "unknown"),
        (-34.0, 1.0, 1, "unknown"),
        (-34.0, math.nan, 40, "unknown"),
    ],
)
def test_verdict_never_says_more_than_the_interval(
    difference: float, seed_sd: float, sequences: int, word: str
) -> None:
    found = gain_from(Interval(difference, 0.6, seed_sd, 1, sequences))
    assert found.verdict == word
    assert known(found.low) == known(found.high) == (word != "unknown")
    assert found.full.endswith("[interval unknown]" if word == "unknown" else f"] {word}")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"verdict": "not separable", "gain_paper": "+1.0"}, "not separable"),
        ({"verdict": "above", "gain_paper": "+1.0"}, "same sign"),
        ({"verdict": "below", "gain_paper": "+1.0"}, "opposite sign"),
        ({"verdict": "above", "gain_paper": "-0.5"}, "opposite sign"),
        ({"verdict": "below", "gain_paper": "-0.5"}, "same sign"),
        ({"verdict": "unknown", "gain_paper": "+1.0"}, "unknown"),
        ({"verdict": "above"}, "above"),
        ({}, ""),
    ],
)
def test_reading_compares_signs(cells: dict[str, str], words: str) -> None:
    assert typed.line(**cells).reading == words


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
    assert typed.line(**cells).shown == words


def test_gain_shows_its_interval_or_why_there_is_none() -> None:
    full = typed.line(gain_ours="+1.20", low="-0.10", high="+2.50")
    assert full.gain.text == "+1.20 [-0.10, +2.50]"
    unknown = typed.line(gain_ours="+1.20", low="unknown", high="unknown")
    assert unknown.gain.text == "+1.20 [interval unknown]"
    said = typed.line(gain_ours="+1.20", low="unknown", high="unknown", verdict="unknown")
    assert said.read_gain == said.gain.full == "+1.20 [interval unknown]"
    assert typed.line(gain_ours="missing").gain.text == "missing"
    assert len(compared(full, TWO)) == len(COMPARED)


def test_whose_network_is_shown_where_other_papers_stand_beside() -> None:
    mine = typed.line(variant="tips")
    backbone = typed.line(origin="re-implemented", variant="hrnet")
    assert comparison([mine, backbone], TWO).header == COMPARED
    rival = typed.line(origin="re-implemented, MI surrogate", variant="tdmi")
    for other in (rival, typed.line(origin="published")):
        shown = comparison([mine, other], TWO)
        assert shown.header.index(ORIGIN) == 2
        assert [cells[2] for cells in shown.cells] == ["ours", other.origin]
        assert {len(cells) for cells in shown.cells} == {len(shown.header)} == {len(shown.align)}


def test_our_number_leads_to_its_chain_on_pages_alone() -> None:
    full = typed.line(variant="tips", ours="36.00", n_seeds="1")
    shown = linked(full, TWO)
    assert shown == full.shown == "36.00 (1)"
    row = markdown.table(("",), [[shown]]).splitlines()[-1]
    assert row == '| [36.00 (1)](#why-tips "II (e)") |'
    stale = typed.line(variant="tips", ours="36.00", n_seeds="1", status="stale", note="x changed")
    row = markdown.table(("",), [[linked(stale, TWO)]]).splitlines()[-1]
    assert row == '| [36.00 (1) stale](#why-tips "II (e)"): x changed |'
    for other in ({"variant": ""}, {"variant": "tips", "note": NOT_IN_SCALE}):
        assert "](" not in markdown.table(("",), [[linked(typed.line(**other), TWO)]])


def test_numbers_have_no_negative_zero() -> None:
    assert plain(-0.001) == "0.00"
    assert signed(-0.001) == "+0.00"
    assert signed(-1.005) in ("-1.00", "-1.01")


def test_absent_table_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = study_paths(load_study("desk", typed.EXPERIMENTS).scale)
    with pytest.raises(RecordError, match="run the stage tabulate first"):
        COMPONENTS.read(paths)
    COMPONENTS.file(paths).parent.mkdir(parents=True)
    for text in ("row,label\na,b\n", "\0", "", f"{','.join(Line.columns())}\na,b\n"):
        COMPONENTS.file(paths).write_text(text)
        with pytest.raises(RecordError, match="run the stage tabulate again"):
            COMPONENTS.read(paths)
