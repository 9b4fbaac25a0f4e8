"""`tips power` on a finished study: one row per conclusion, and mistakes in one line."""

from pathlib import Path

import fake_study
import pytest
from spoiled import work_on_copy
from tiny_study import command

from tips import records
from tips.config import load_study
from tips.paths import Paths, study_paths
from tips.stages import tabulate
from tips.tables.claims import CLAIMS

SCALE = ("--scale", fake_study.SCALE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True) as paths:
        for rule, seconds in (("train", 60.0), ("predict", 6.0), ("evaluate", 2.0)):
            for variant in ("tips", "hrnet"):
                file = paths.results / "benchmarks" / rule / f"{variant}-0.tsv"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"s\tcpu_time\n{seconds}\t{seconds}\n")
        tabulate.run(fake_study.SCALE)
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    work_on_copy(finished, tmp_path, monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    return study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)


def asked(*words: str) -> list[dict]:
    assert command("power", *words, *SCALE, "--json", "power.json") == 0
    return records.read_json(Path("power.json"))


def test_every_conclusion_has_a_row(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked()
    assert [one["claim"] for one in found] == [row.claim for row in CLAIMS.read(paths)]
    shown = capsys.readouterr().out
    assert all(one["name"] in shown for one in found)
    missing = next(one for one in found if one["name"] == "II:e-d")
    assert (missing["verdict"], missing["seeds"]) == ("missing", None)
    assert "smallest" not in missing


def test_plans_are_those_of_the_report_and_cost_what_jobs_took(paths: Paths) -> None:
    (row,) = (row for row in CLAIMS.read(paths) if row.name == "II:e-HRNet")
    (found,) = asked("II:e-HRNet")
    assert (found["seeds"], found["sequences"]) == (3, fake_study.SEQUENCES)
    seeds, sequences = found["together"]["seeds"], found["together"]["sequences"]
    again = (seeds + 1) * sequences / fake_study.SEQUENCES  # networks that predict, hrnet's too
    expected = (60 * (seeds - 3) + 8 * again) / 60
    assert found["minutes_together"] == pytest.approx(expected)
    undecided = [one for one in CLAIMS.read(paths) if one.verdict == "undecided"]
    for row in undecided:
        (one,) = asked(row.name)
        assert (
            f"{one['together']['seeds']} seeds on {one['together']['sequences']} s" in row.decides
        )


def test_without_times_no_minutes_are_told(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = asked("II:b-HRNet")
    assert found["minutes_together"] is None
    assert "no times of" in capsys.readouterr().out


def test_more_seeds_show_smaller_differences(paths: Paths) -> None:
    ((few,), (many,)) = asked("II:e-HRNet"), asked("II:e-HRNet", "--seeds", "30")
    assert many["seeds"] == 30
    assert many["smallest"] < few["smallest"]


def test_conclusions_are_found_by_table_name_and_words(paths: Paths) -> None:
    assert {one["name"].split(":")[0] for one in asked("VII")} == {"VII"}
    assert [one["name"] for one in asked("v:5-1:wrist")] == ["V:5-1:Wrist"]
    assert [one["name"] for one in asked("HARDLY improve")] == ["V:8-5", "V:15-5"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("II:e-x",), "no conclusion 'II:e-x'; name it"),
        (("II:e-x",), "did you mean 'II:e-"),
        (("nonsense",), "words of its text\n"),
        (("--root", "", "L_reds help"), "'L_red helps'"),
    ],
)
def test_an_unknown_conclusion_is_one_line(
    paths: Paths, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert command("power", *words, *SCALE) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_without_tables_the_remedy_is_named(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    CLAIMS.file(paths).unlink()
    assert command("power", *SCALE) == 2
    assert "run the stage tabulate first" in capsys.readouterr().err
