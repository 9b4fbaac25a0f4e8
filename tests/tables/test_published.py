import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from studies import study_of

from tips.config import ConfigError
from tips.tables.published import (
    PARTS,
    Claim,
    Table,
    check_totals,
    load_tables,
    number,
    printed_difference,
)

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "experiments" / "tables.yaml"
TABLES = load_tables(FILE)
COUNTS = {"2": 7, "3": 5, "4": 6, "5": 5, "6": 9, "7": 7, "8": 21, "9": 15, "10": 14, "11": 15}


def paper_rows(roman: str, columns: int) -> list[list[str]]:
    """The printed table, from the text of the paper."""
    shared = Path(os.environ.get("TIPS_SHARED", REPOSITORY / ".." / "shared"))
    texts = sorted((shared / "paper").glob("*.txt"))
    if not texts:
        pytest.skip("no shared material")
    lines = texts[0].read_text(encoding="utf-8").split(f"\nTABLE {roman}\n")[1].split("\n")
    rows = []
    for line in lines:
        cells = line.split("\t")
        if len(cells) == columns or (rows and "\t" in line):
            rows.append(cells)
        elif rows:
            break
    return rows


def test_every_published_row_is_there() -> None:
    assert {table.name: len(table.rows) for table in TABLES.paper} == COUNTS


@pytest.mark.parametrize("table", TABLES.paper, ids=lambda table: table.roman)
def test_rows_are_exactly_as_printed(table: Table) -> None:
    printed = paper_rows(table.roman, len(table.columns))
    rows = [[_plain(cell) for cell in row] for row in printed[1:]]
    ours = [[_plain(cell) for cell in row.printed] for row in table.rows]
    assert ours == rows
    if table.name not in ("4", "7"):  # their heads are formulas
        heads = [_plain(cell) for cell in printed[0]]
        assert [_plain(cell) for cell in table.columns] == heads


def _plain(cell: str) -> str:
    """A cell without the markup of the paper's text."""
    return re.sub(r"\\mathcal\{(\w)\}|\\([{}])|\$", r"\1\2", cell).strip()


def test_26_distinct_trainings_for_the_paper_and_5_of_its_rivals() -> None:
    trainings = TABLES.trainings()
    rivals = [name for name in trainings if name != "hrnet" and name in TABLES.origins]
    assert (len(trainings), len(rivals)) == (31, 5)
    assert trainings[0] == "hrnet"


@pytest.mark.parametrize("scale", ["smoke", "desk", "paper"])
def test_every_variant_of_the_tables_has_an_experiment(scale: str) -> None:
    study = study_of(scale)
    assert set(TABLES.trainings()) <= set(study.variants)
    files = {path.stem for path in (REPOSITORY / "experiments").rglob("*.yaml")}
    assert set(TABLES.trainings(own=True)) <= files


def test_no_row_of_tables_ii_to_vii_is_quoted_only() -> None:
    for k in range(2, 8):
        table = TABLES.table(str(k))
        assert "published" not in {TABLES.origin(row) for row in table.rows}


def test_rows_say_whose_network_they_show() -> None:
    two, six, eight = (TABLES.table(name) for name in "268")
    assert [TABLES.origin(two.row(key)) for key in ("HRNet", "DCPose", "e")] == [
        *("re-implemented", "re-implemented", "ours"),
    ]
    assert TABLES.origin(six.row("TDMI-5")) == "re-implemented, MI surrogate"
    # The file is read for no published dataset, so Table VIII is quoted; its rows are still named.
    assert TABLES.origin(eight.row("DCPose")) == "published"
    assert eight.row("DCPose").elsewhere == "dcpose"
    measured = load_tables(FILE, "posetrack17")
    assert measured.origin(measured.table("8").row("DSTA-H")) == "re-implemented"
    assert measured.origin(measured.table("8").row("DSTA-V")) == "published"
    assert {"posewarper", "dsta", "tips-vit"} <= TABLES.named


def test_table_m_prints_what_the_papers_tables_do() -> None:
    known: dict[str, set[str]] = {}
    for name in ("2", "6", "8"):
        for row in TABLES.table(name).rows:
            if variant := row.variant or row.elsewhere:
                known.setdefault(variant, set()).add(TABLES.table(name).paper(row))
    known["fami-pose-released"] = known["fami-pose"]
    known["concat-wide"] = known["interim-average"] = known["interim-flow"] = {""}
    known["interim-true"] = {""}
    for name in ("M", "I"):
        for row in TABLES.table(name).rows:
            assert known[str(row.variant)] == {TABLES.table(name).paper(row)}


def test_full_model_and_backbone_fill_several_rows_with_one_training() -> None:
    def places(variant: str) -> list[tuple[str, str]]:
        return [(t.name, r.row) for t in TABLES.paper for r in t.rows if r.variant == variant]

    assert places("tips") == [
        ("2", "e"),
        ("3", "d"),
        ("4", "e"),
        ("5", "5"),
        ("6", "ours-5"),
        ("7", "b"),
    ]
    assert places("hrnet") == [("2", "HRNet"), ("3", "HRNet"), ("4", "HRNet"), ("6", "ours-1")]


def test_totals_follow_from_the_columns_but_for_three_rows() -> None:
    checks = [check for name in ("8", "9", "10") for check in check_totals(TABLES.table(name))]
    assert len(checks) == 46
    failing = {(check.table, check.row) for check in checks if not check.holds}
    assert failing == {("8", "HRNet+STIP"), ("8", "DCPose"), ("10", "DCPose")}
    assert all(abs(check.printed - check.computed) < Decimal("0.12") for check in checks)
    assert check_totals(TABLES.table("11")) == []


def test_parts_are_columns_of_the_comparison_tables() -> None:
    for name in ("8", "9", "10", "11"):
        assert set(PARTS) <= set(TABLES.table(name).columns)


def test_gains_are_exact_and_against_the_printed_baseline() -> None:
    table = TABLES.table("2")
    assert table.paper_gain(table.row("e")) == "+8.9"
    assert table.paper_gain(table.row("DCPose")) == "+5.5"
    assert table.paper_gain(table.row("HRNet")) == ""
    seven = TABLES.table("7")
    assert seven.paper_gain(seven.row("f")) == "-0.5"
    assert seven.baseline_of(seven.row("b")) is None
    five = TABLES.table("5")
    assert five.paper(five.row("8")) == ""
    assert five.baseline_of(five.row("8")) == "groups-1"


CLAIMS = [(table, claim) for table in TABLES.tables for claim in table.claims]
HALF = Decimal("0.5")


@pytest.mark.parametrize(("table", "claim"), CLAIMS, ids=[claim.says for _, claim in CLAIMS])
def test_claims_are_what_the_numbers_say(table: Table, claim: Claim) -> None:
    """No conclusion contradicts the printed numbers, and none may hide behind a wide margin."""
    better, worse = (number(table.paper(table.row(key))) for key in (claim.row, claim.than))
    if better is None or worse is None:
        assert claim.margin == HALF
    else:
        assert claim.expects == "more"
        assert better > worse
        assert claim.margin == min(HALF, better - worse)


def test_no_conclusion_is_listed_twice() -> None:
    told = {(table.name, claim.row, claim.than, claim.part) for table, claim in CLAIMS}
    assert len(told) == len(CLAIMS)
    assert len({claim.says for _, claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize(("cell", "value"), [("86.2", "86.2"), ("-", None), ("", None)])
def test_number(cell: str, value: str | None) -> None:
    assert number(cell) == (None if value is None else Decimal(value))
    assert printed_difference(cell, "-") == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('row: "DCPose"', 'row: "HRNet"', "row keys must be unique"),
        ('["DCPose [22]", "", "", "", "82.8"]', '["DCPose [22]", "82.8"]', "2 cells under 5"),
        ("value: mAP", "value: AP", "no printed column"),
        ("  dsta: re-", "  dtsa: re-", "origins: no row names the variant dtsa"),
        ("  dsta: re-implemented", "  dsta: borrowed", "origins.dsta"),
        ("baseline: hrnet", "base: hrnet", "base"),
        ('{row: "e", than: "d"', '{row: "z", than: "d"', "unknown row 'z'"),
        ('than: "d", margin: 0.5', 'than: "d"', "claims.4.margin"),
        ('than: "d", margin: 0.5', 'than: "d", margin: 0', "claims.4.margin"),
        ("part: Wrist", "part: Waist", "unknown part 'Waist'"),
        ("tables:", "tables: [", "not YAML"),
    ],
)
def test_bad_file_is_refused_in_one_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    bad = tmp_path / "tables.yaml"
    bad.write_text(FILE.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_tables(bad)
    assert words in str(caught.value)
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_file_and_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_tables(tmp_path / "tables.yaml")
    with pytest.raises(ConfigError, match="no table '12'"):
        TABLES.table("12")
