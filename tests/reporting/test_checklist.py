"""The checklist: each answer follows from files, and goes when the files go."""

import csv
import re
import shutil
from collections import Counter
from pathlib import Path

import fake_study
import pytest
from spoiled import work_on_copy
from studies import study_of

from tips.config import load_study
from tips.paths import Paths, study_paths
from tips.records import read_json, write_json
from tips.reporting import checklist, data_answers
from tips.reporting.facts import Answer, Facts
from tips.stages import report, tabulate
from tips.tables.ablations import COMPONENTS
from tips.tables.contents import SHEETS
from tips.tables.published import load_tables
from tips.tables.sheet import Page
from tips.tables.sources import Manifest

TRAININGS = sum(fake_study.SEEDS.get(name, 1) for name in fake_study.NETWORKS)
ABSENT = 1  # window-3, a row of the scale that nobody trained
# What rests on trainings and metrics; without them none of it may be claimed.
ON_RUNS = (
    *("Claims", "Reproducibility", "Statistical significance", "Compute"),
    *("Results: the exact number", "Results: central", "Results: average", "Results: computing"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True):
        tabulate.run(fake_study.SCALE)
        report.run(fake_study.SCALE, reference=Path("reports/reference"))
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    work_on_copy(finished, tmp_path, monkeypatch)
    return study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)


def again(paths: Paths) -> str:
    report.run(fake_study.SCALE)
    return paths.checklist.read_text()


def rows(text: str) -> list[tuple[str, Answer]]:
    """Every item of a page, in order, with its answer."""
    lines = re.findall(r"^\| \d+ \| (.*?) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    return [(question, Answer(word, shown_by)) for question, word, shown_by in lines]


def answer(text: str, start: str) -> Answer:
    (found,) = [one for question, one in rows(text) if question.startswith(start)]
    return found


def test_both_lists_are_whole_and_the_counts_are_those_of_the_rows(paths: Paths) -> None:
    text = paths.checklist.read_text()
    assert text.startswith("# Reproducibility checklist: scale fake, dataset embedded\n")
    parts = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    neurips, pineau = (len(rows(parts[name])) for name in checklist.LISTS)
    assert (neurips, pineau) == (16, 21)
    words = Counter(one.word for _, one in rows(text))
    assert words.keys() <= set(checklist.WORDS)
    said = re.search(r"^(\d+) items: (.*?)\.", text, re.MULTILINE)
    assert said is not None
    assert int(said[1]) == words.total()
    assert {w: int(n) for n, w in (one.split(" ", 1) for one in said[2].split(", "))} == {
        word: words[word] for word in checklist.WORDS
    }
    assert all(one.shown_by for _, one in rows(text))


def test_trainings_and_their_time_are_those_of_the_records(paths: Paths) -> None:
    text = paths.checklist.read_text()
    found = answer(text, "Results: average run time")
    assert found.word == "no"  # one row is missing
    assert f"{TRAININGS} of {TRAININGS + ABSENT} trainings: mean 12.5 s, 12.5 to 12.5 s" in (
        found.shown_by
    )
    hours = TRAININGS * 12.5 / 3600
    assert answer(text, "Compute").shown_by.startswith(f"{hours:.3g} h in {TRAININGS} of ")
    assert "a test, 2 cores (cpu, fp32)" in answer(text, "Results: computing").shown_by
    absent = paths.run("window-3", "0")
    shutil.copytree(paths.run("tips", "0"), absent)
    record = absent / "provenance.json"
    write_json(read_json(record) | {"variant": "window-3", "seconds": 125.0}, record)
    text = again(paths)
    assert answer(text, "Results: average run time").word == "yes"
    assert "12.5 to 125.0 s" in answer(text, "Results: average run time").shown_by


def test_intervals_are_counted_as_the_tables_have_them(paths: Paths) -> None:
    gains, intervals, several, measured = 0, 0, 0, 0
    for sheet in SHEETS:
        if not sheet.compares:
            continue
        with sheet.file(paths).open(newline="") as stream:
            for row in csv.DictReader(stream):
                is_known = re.fullmatch(r"-?[\d.]+", row["ours"]) is not None
                measured += is_known
                several += is_known and re.fullmatch(r"[\d.]+", row["sd"]) is not None
                if is_known and re.fullmatch(r"[+-][\d.]+", row["gain_ours"]):
                    gains += 1
                    intervals += re.fullmatch(r"[+-][\d.]+", row["low"]) is not None
    assert 0 < intervals <= gains
    assert 0 < several < measured
    text = paths.checklist.read_text()
    found = answer(text, "Statistical significance")
    assert found.word == "yes"
    assert found.shown_by.startswith(f"{intervals} of {gains} gains have a 95 % interval")
    assert f"60 resamples of {fake_study.SEQUENCES} validation" in found.shown_by
    assert answer(text, "Results: central").shown_by.startswith(f"{several} of {measured} measured")
    file = COMPONENTS.file(paths)
    file.write_text(
        file.read_text().replace(",below,", ",unknown,").replace(",above,", ",unknown,")
    )
    lost = sum(row.verdict == "unknown" for row in COMPONENTS.read(paths))
    assert lost
    assert answer(again(paths), "Statistical significance").shown_by.startswith(
        f"{intervals - lost} of {gains} gains"
    )


def test_nothing_is_claimed_of_a_study_without_runs(paths: Paths) -> None:
    shutil.rmtree(paths.results / "runs")
    tabulate.run(fake_study.SCALE)
    text = again(paths)
    for start in ON_RUNS:
        assert answer(text, start).word in ("no", "unknown"), start


def test_a_card_and_counts_answer_only_while_they_are_there(paths: Paths) -> None:
    text = paths.checklist.read_text()
    assert answer(text, "New assets") == answer(text, "Data: how new data were collected")
    assert answer(text, "New assets").word == "no"
    assert answer(text, "Data: statistics").word == "unknown"
    paths.card.write_text("a card")
    numbers = dict.fromkeys(("sequences", "frames", "labelled_frames", "people", "joints"), 1234)
    write_json(read_json(paths.manifest) | {"counts": {"val": numbers}}, paths.manifest)
    text = again(paths)
    assert answer(text, "New assets") == Answer("yes", "[dataset-card.md](dataset-card.md)")
    assert answer(text, "Data: statistics").word == "yes"
    assert "val: 1,234 sequences" in answer(text, "Data: statistics").shown_by


def test_equal_files_give_equal_pages_and_a_reference_copy_has_it(paths: Paths) -> None:
    before = paths.checklist.read_text()
    assert (Path("reports/reference") / paths.checklist.name).read_text() == before
    assert again(paths) == before
    assert str(Path.cwd()) not in before


def test_what_a_stranger_wrote_into_records_is_text(paths: Paths) -> None:
    evil = "x|y <script>alert(1)</script> [go](javascript:z) `tick"
    for record in paths.results.rglob("provenance.json"):
        write_json(read_json(record) | {"machine": evil, "versions": {evil: evil}}, record)
    numbers = dict.fromkeys(("sequences", "frames", "labelled_frames", "people", "joints"), 1)
    write_json(read_json(paths.manifest) | {"counts": {evil: numbers}}, paths.manifest)
    text = again(paths)
    assert len(rows(text)) == sum(map(len, checklist.LISTS.values()))
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(javascript|(?<![\\`])`tick", text)
    assert text.count("alert(1)") >= 3


def of_scale(scale: str) -> Facts:
    study = study_of(scale)
    tables = load_tables(fake_study.REPOSITORY / "experiments/tables.yaml", None)
    page = Page(study, study_paths(study.scale), tables, {}, {})
    return Facts(page, [], [], Manifest(), 0)


@pytest.mark.parametrize(
    ("scale", "access", "licence", "download", "asset"),
    [
        ("desk", "yes", "yes", "yes", "no"),
        ("paper-posetrack18", "no", "yes", "no", "not applicable"),
        ("paper-jhmdb-1", "no", "yes", "yes", "not applicable"),
        ("clip", "unknown", "unknown", "unknown", "not applicable"),
    ],
)
def test_data_are_as_open_as_their_owners_make_them(
    scale: str,
    access: str,
    licence: str,
    download: str,
    asset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = of_scale(scale)
    assert data_answers.access(found).word == access
    assert data_answers.licences(found).word == licence
    assert data_answers.download(found).word == download
    assert data_answers.new_assets(found).word == asset
    people = "not applicable" if scale == "desk" else "unknown"
    assert data_answers.human_subjects(found).word == people
