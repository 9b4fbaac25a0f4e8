"""A variant of the user's own is compared as its file asks, and moves no cell of another row."""

import csv
import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

import fake_study
import pytest
from spoiled import work_on_copy

from tips.config import ConfigError, load_study
from tips.evaluation.power import detectable
from tips.evaluation.verdicts import holm, p_value
from tips.paths import Paths, study_paths
from tips.records import Annotations, read, read_json, write_json
from tips.stages import evaluate, report, tabulate, why
from tips.tables.published import load_tables
from tips.tables.remembered import memory_file
from tips.tables.yours import project_variants, your_variants

OWN = Path("experiments/own/wild.yaml")
# Its seeds differ more than those of any row, so it would move every interval.
NOISE = (0.25, 0.4, 0.9)
ASKS = "seeds: 3\ncompare: [tips, concat-wide, hrnet]\nexpect: below\nmargin: 0.3\n"
ADJUSTED = ("p_adjusted", "verdict", "expected", "smallest", "decides")
Cells = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True):
        tabulate.run(fake_study.SCALE)
        report.run(fake_study.SCALE)
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    work_on_copy(finished, tmp_path, monkeypatch)
    return study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)


def add(paths: Paths, text: str = ASKS, seeds: int = 3, noise: tuple[float, ...] = NOISE) -> None:
    """Adds a variant with all its runs to the finished study, and makes the tables again."""
    OWN.parent.mkdir(exist_ok=True)
    OWN.write_text(f"extends: ../tips.yaml\ntitle: A wild idea\nwidth: 24\n{text}")
    scale = Path("experiments/scales") / f"{fake_study.SCALE}.yaml"
    scale.write_text(scale.read_text().replace("\nrows:\n", "\nrows:\n- wild\n"))
    study = load_study(fake_study.SCALE, Path("experiments"))
    annotations = read(Annotations, paths.annotations("val"))
    for seed, one in enumerate(noise[:seeds]):
        fake_study.write_run(study, paths, annotations, "wild", seed, one)
        evaluate.run("wild", seed, "gt", fake_study.SCALE)
    tabulate.run(fake_study.SCALE)


def cells(paths: Paths) -> Cells:
    files = [f for part in ("tables", "figures") for f in (paths.results / part).glob("*.csv")]
    found = {}
    for file in files:
        with file.open(newline="") as stream:
            found[file.stem] = list(csv.reader(stream))
    return found


def free(table: list[list[str]]) -> list[list[str]]:
    """A table without what Holm's method adjusts for the number of own comparisons."""
    own = "than" in table[0] and "smallest" in table[0]
    kept = [k for k, head in enumerate(table[0]) if not (own and head in ADJUSTED)]
    return [[row[k] for k in kept] for row in table]


def rows(paths: Paths) -> Iterator[dict[str, str]]:
    with (paths.results / "tables/table-own.csv").open(newline="") as stream:
        yield from (row for row in csv.DictReader(stream) if row["variant"] == "wild")


def test_no_cell_of_another_row_changes(paths: Paths) -> None:
    """Beside other own variants only what is adjusted for their number does."""
    before, memory = cells(paths), memory_file(paths).read_bytes()
    add(paths)
    after = cells(paths)
    assert after.keys() == before.keys()
    added = {}
    for name, table in after.items():
        kept = [row for row in table if "wild" not in row]
        assert free(kept) == free(before[name]), name
        added[name] = len(table) - len(kept)
    assert {name for name, count in added.items() if count} == {
        *("table-variants", "table-own", "table-subsets"),
    }
    assert memory_file(paths).read_bytes() == memory


def test_every_comparison_that_its_file_asks_for(paths: Paths) -> None:
    add(paths)
    found = {row["than"]: row for row in rows(paths)}
    assert list(found) == ["tips", "concat-wide", "hrnet"]
    means = {
        name: [read_json(paths.metrics(name, str(seed), "gt"))["total"] for seed in range(3)]
        for name in ("wild", "tips")
    }
    difference = sum(means["wild"]) / 3 - sum(means["tips"]) / 3
    tips = found["tips"]
    assert float(tips["ours"]) == pytest.approx(difference, abs=0.006)
    assert (tips["parent"], tips["changes"]) == ("tips", "width: 16 -> 24")
    assert (tips["margin"], tips["expects"]) == ("0.3", "below")
    assert (tips["verdict"], tips["expected"]) == ("undecided", "undecided")
    assert re.search(r"\d+ seeds", tips["decides"])  # so wild are these three
    record = read_json(paths.run("wild", "0") / "provenance.json")
    assert int(tips["parameters"]) == record["parameters"]
    assert float(tips["seconds"]) == record["seconds"]
    assert {row["n_seeds"] for row in found.values()} == {"3"}


def test_a_steady_variant_is_decided(paths: Paths) -> None:
    add(paths, noise=(0.5, 0.5, 0.5))
    found = {row["than"]: row for row in rows(paths)}
    assert (found["tips"]["verdict"], found["tips"]["expected"]) == ("below", "met")
    assert found["tips"]["decides"] == ""
    assert found["hrnet"]["expected"] in ("not met", "undecided")  # of the same noise
    assert float(found["tips"]["high"]) < 0 < float(found["tips"]["smallest"])


def test_holm_and_power_are_of_the_own_comparisons_alone(paths: Paths) -> None:
    """The fake study brings a variant of its own, compared with its parent: four tests."""
    add(paths)
    with (paths.results / "tables/table-own.csv").open(newline="") as stream:
        every = list(csv.DictReader(stream))
    assert len(every) == 4
    sds = [
        math.sqrt(float(r["sequences_sd"]) ** 2 + float(r["seeds_sd"]) ** 2 / int(r["n_seeds"]))
        for r in every
    ]
    alone = [p_value(float(row["ours"]), sd) for row, sd in zip(every, sds, strict=True)]
    for row, p, sd in zip(every, holm(alone), sds, strict=True):
        assert float(row["p_adjusted"]) == pytest.approx(p, abs=2e-3)
        assert float(row["smallest"]) == pytest.approx(detectable(sd, 4), abs=0.006)
        low = float(row["ours"]) - NormalDist().inv_cdf(0.975) * sd
        assert float(row["low"]) == pytest.approx(low, abs=0.011)


def test_the_report_and_its_numbers_show_it_and_the_conclusions_stay(paths: Paths) -> None:
    before = json.loads(paths.numbers.read_text())
    add(paths)
    report.run(fake_study.SCALE)
    after = json.loads(paths.numbers.read_text())
    assert after["conclusions"] == before["conclusions"]
    assert [row for row in after["rows"] if row["variant"] != "wild"] == before["rows"]
    (beside,) = (o for o in after["own"] if (o["variant"], o["than"]) == ("wild", "tips"))
    (row,) = (row for row in rows(paths) if row["than"] == "tips")
    assert (beside["gain"], beside["verdict"]) == (float(row["ours"]), "undecided")
    assert (beside["expects"], beside["expected"]) == ("below", "undecided")
    assert beside["changes"] == ["width: 16 -> 24"]
    page = (paths.reports / "report.md").read_text().split("## Your variants\n")[1]
    page = page.partition("\n## ")[0]
    assert "| wild | A wild idea | tips | width: 16 -> 24 | 123,456 | 12.5 |" in page
    assert "below: undecided" in page


def test_why_another_number_is_says_the_same_as_before(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    why.run("II (e)", fake_study.SCALE)
    before = capsys.readouterr().out
    add(paths)
    capsys.readouterr()
    why.run("II (e)", fake_study.SCALE)
    assert capsys.readouterr().out == before
    why.run("wild", fake_study.SCALE)
    assert "configuration: width: 16 -> 24" in capsys.readouterr().out


def test_without_a_run_it_is_missing_and_with_a_spoilt_record_failed(paths: Paths) -> None:
    add(paths, ASKS, seeds=0)
    found = next(rows(paths))
    assert (found["ours"], found["verdict"], found["expected"]) == ("missing",) * 3
    assert (found["parameters"], found["seconds"]) == ("missing", "missing")
    shutil.rmtree(OWN.parent)
    Path("experiments/ablation").joinpath("wild.yaml").write_text("extends: ../tips.yaml\ntitle: w")
    write_json([], paths.run("wild", "0") / "provenance.json")
    tabulate.run(fake_study.SCALE)
    assert next(rows(paths))["parameters"] == "failed"


def test_a_parent_that_the_scale_lacks_is_named(paths: Paths) -> None:
    """Then nobody can say what the variant changes; it is compared all the same."""
    add(paths, "compare: [hrnet]\n", seeds=1)
    OWN.write_text(OWN.read_text().replace("../tips.yaml", "../ablation/groups-15.yaml"))
    tabulate.run(fake_study.SCALE)
    (found,) = rows(paths)
    assert found["changes"] == "unknown: scale 'fake' has no row 'groups-15'"
    assert (found["than"], found["n_seeds"]) == ("hrnet", "1")


def test_a_row_that_the_study_lacks_leaves_the_tables_as_they_are(paths: Paths) -> None:
    before = cells(paths)
    with pytest.raises(ConfigError, match="compare: scale 'fake' has no row 'groups-8'"):
        add(paths, "compare: [groups-8]\n", seeds=0)
    assert cells(paths) == before


def test_every_variant_is_the_project_s_or_yours(paths: Paths) -> None:
    study = load_study(fake_study.SCALE, Path("experiments"))
    tables = load_tables(Path("experiments/tables.yaml"))
    yours = [row.row for row in your_variants(tables, study).rows]
    project = project_variants(tables, study)
    assert sorted([*yours, *project]) == sorted(study.variants)
    assert yours == ["my-own-idea"]
