"""Guests of a finished study: two made from perturbed truth, one without a head, and bad ones."""

import json
import shutil
from pathlib import Path

import fake_study
import numpy as np
import pytest
from fake_study import SCALE
from spoiled import work_on_copy
from tiny_study import command

from tips import skeleton
from tips.config import load_study
from tips.evaluation import intervals
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.metrics import read_scored
from tips.evaluation.people import from_records
from tips.evaluation.poseval_files import write_found
from tips.paths import Paths, study_paths
from tips.records import Annotations, Predictions, read, read_json
from tips.stages import evaluate_files, export, guest, tabulate
from tips.tables import numbers
from tips.tables.contents import SHEETS
from tips.tables.guest_rows import GUESTS, GuestLine
from tips.tables.remembered import memory_file

NOISE = {"near": 0.1, "far": 0.45}  # head sizes
HEAD = ("head_bottom", "nose", "head_top")
ASKED = ("--scale", SCALE)
TOLD = """title: A {name} guest
folder: ../{name}
origin: "https://example.org/<b>{name}</b>"
frames: 1
trained_on: nothing
boxes: the truth's
made: self-reported
scales: [{scale}]
"""


def invite(name: str, noise: float, lacking: tuple[str, ...] = (), scale: str = SCALE) -> Path:
    """Writes a folder of perturbed truth outside of the study, and the file that names it."""
    paths = study_paths(load_study(SCALE, Path("experiments")).scale)
    annotations = read(Annotations, paths.annotations("val"))
    generator = np.random.default_rng([*name.encode()])
    sequences = []
    for sequence in annotations.sequences:
        frames = [
            {
                "frame": place,
                "poses": [
                    fake_study._pose(person, noise, generator).model_dump()
                    for person in sequence.frames[place].people
                ],
            }
            for place in fake_study.LABELLED
        ]
        sequences.append({"name": sequence.name, "frames": frames})
    found = {"variant": name, "seed": 0, "boxes": "mine", "sequences": sequences}
    for part in found["sequences"]:
        for pose in (pose for frame in part["frames"] for pose in frame["poses"]):
            pose["joints"] = tuple(
                None if joint in lacking else point
                for joint, point in zip(skeleton.JOINTS, pose["joints"], strict=True)
            )
    folder = Path("..") / name
    write_found(Predictions.model_validate(found), annotations, folder)
    file = Path("experiments/guests") / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(TOLD.format(name=name, scale=scale))
    return folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its tables, then with guests and its tables again."""
    folder = tmp_path_factory.mktemp("guests") / "study"
    with fake_study.inside(folder, measured=True) as paths:
        tabulate.run(SCALE)
        shutil.copytree(paths.results / "tables", "before")
        shutil.copy(memory_file(paths), "before-memory.json")
        for name, noise in NOISE.items():
            invite(name, noise)
            guest.run(name, SCALE)
        invite("headless", 0.1, HEAD)
        guest.run("headless", SCALE)
        tabulate.run(SCALE)
    return folder


@pytest.fixture
def paths(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy to spoil; the guests' own folders lie beside it."""
    for name in (*NOISE, "headless"):
        shutil.copytree(measured.parent / name, tmp_path / name)
    work_on_copy(measured, tmp_path, monkeypatch)
    return study_paths(load_study(SCALE, Path("experiments")).scale)


def rows(paths: Paths) -> dict[str, GuestLine]:
    return {row.row: row for row in GUESTS.read(paths)}


@pytest.mark.parametrize("name", [*NOISE, "headless"])
def test_a_guest_has_the_numbers_of_tips_evaluate(
    paths: Paths, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    export.run("tips", 0, "gt", "18", Path("out"), SCALE)
    evaluate_files.run(Path("out/truth"), Path("..") / name, json=Path("alone.json"))
    alone = json.loads(Path("alone.json").read_text())
    inside = read_json(paths.guest(name, "metrics.json"))
    assert inside["total"] == pytest.approx(alone["ap_mean"], abs=1e-9)
    for key, field in (("ap", "ap"), ("n_pred", "n_found"), ("n_tp", "n_hit")):
        joints = [inside["joints"][joint][field] for joint in skeleton.JOINTS]
        assert joints == pytest.approx(alone[key], abs=1e-9)
    assert rows(paths)[name].ours == pytest.approx(alone["ap_mean"], abs=0.006)
    assert "A" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "other"), [("near", "hrnet"), ("far", "tips")])
def test_a_gain_is_paired_on_the_resamples_of_the_other_rows(
    paths: Paths, name: str, other: str
) -> None:
    """By hand: seeds of ours averaged inside the bootstrap; of the seeds only their own spread."""
    ours = evidence(paths.guest(name, "metrics.json"))
    seeds = [
        evidence(paths.metrics(other, str(n), "gt")) for n in range(fake_study.SEEDS.get(other, 1))
    ]
    weights = intervals.resamples(ours.strata, 60)
    theirs = {seed: one for seed, one in enumerate(seeds)}
    row = intervals.row(theirs, weights, shared=len(seeds) == 1)
    mine = intervals.row({0: ours}, weights, shared=True)
    drawn = mine.resampled[0] - row.resampled.mean(axis=0)
    line = rows(paths)[name]
    sign = 1 if other == "hrnet" else -1
    gain = line.gain if other == "hrnet" else line.tips
    assert gain.value == pytest.approx(sign * (mine.points[0] - row.points.mean()), abs=0.006)
    half = (gain.high - gain.low) / 2
    assert half >= 1.96 * drawn.std(ddof=1) - 0.02
    assert gain.low < gain.value < gain.high


def evidence(metrics: Path):
    return read_scored(metrics, metrics.with_name("evidence.npz")).evidence


def test_a_guest_without_a_head_is_compared_on_its_joints(paths: Paths) -> None:
    line = rows(paths)["headless"]
    assert line.lacking == "head bottom, nose, head top"
    assert line.parts["Head"] == "-"
    joints = [place for place, name in enumerate(skeleton.JOINTS) if name not in HEAD]

    def mean(metrics: Path) -> float:
        return float(average_precision(evidence(metrics)).ap[joints].mean())

    own = mean(paths.guest("headless", "metrics.json"))
    assert line.over_its_joints == pytest.approx(own, abs=0.006)
    assert line.ours == pytest.approx(own * len(joints) / skeleton.COUNT, abs=0.006)
    hrnet = mean(paths.metrics("hrnet", "0", "gt"))
    assert line.gain_ours == pytest.approx(own - hrnet, abs=0.006)
    assert rows(paths)["near"].lacking == ""


def test_guests_change_no_other_cell(paths: Paths) -> None:
    for sheet in SHEETS:
        if sheet.fill is None or sheet is GUESTS:
            continue
        for file in (sheet.file(paths), sheet.file(paths).with_suffix(".tex")):
            before = Path("before") / file.name
            if before.is_file():
                assert file.read_bytes() == before.read_bytes(), file
    assert memory_file(paths).read_bytes() == Path("before-memory.json").read_bytes()
    assert (paths.results / "tables" / "table-M.csv").is_file()


def test_the_report_and_its_numbers_name_who_made_them(paths: Paths) -> None:
    tabulate.run(SCALE)
    page = report_page(paths)
    section = GUESTS.section(page).body
    assert "self-reported" in section
    assert "A far guest" in section
    assert "<b>" not in section.replace(r"\<b>", "")
    told = {one["guest"]: one for one in numbers.numbers(page)["guests"]}
    assert set(told) == {*NOISE, "headless"}
    assert told["far"]["total"] == rows(paths)["far"].ours


def report_page(paths: Paths):
    from tips.reporting.report import open_page
    from tips.tables.published import load_tables

    study = load_study(SCALE, Path("experiments"))
    tables = load_tables(Path("experiments/tables.yaml"), study.scale.dataset.release)
    return open_page(study, paths, tables)


def test_an_edited_or_lost_folder_makes_its_row_stale(paths: Paths) -> None:
    file = sorted(Path("../near").glob("*.json"))[0]
    data = json.loads(file.read_text())
    data["annotations"][0]["score"] = 0.123
    file.write_text(json.dumps(data))
    shutil.rmtree("../far")
    tabulate.run(SCALE)
    found = rows(paths)
    assert (found["near"].status, found["near"].note) == ("stale", "its files changed since")
    assert found["far"].status == "stale"
    assert "../far: no such folder" in found["far"].note
    assert found["headless"].status == "done"


def test_a_guest_that_was_not_measured_is_missing(paths: Paths) -> None:
    paths.guest("near", "metrics.json").unlink()
    paths.guest("far", "evidence.npz").write_text("damaged")
    tabulate.run(SCALE)
    found = rows(paths)
    assert (found["near"].status, found["near"].shown) == ("missing", "missing")
    assert found["near"].gain.value == "missing"
    assert found["far"].status == "failed"
    assert "evidence" in found["far"].note


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("neer",), f"scale '{SCALE}' has no guest 'neer'; did you mean 'near'?"),
        (("blazepose",), "experiments/guests/blazepose.yaml: results/"),
    ],
)
def test_an_unknown_guest_is_one_line(
    paths: Paths, words: tuple[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("stage", "guest", "--guest", *words, *ASKED) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_refused_guest_leaves_nothing(paths: Paths) -> None:
    shutil.rmtree(paths.guest("near", ""))
    sorted(Path("../near").glob("*.json"))[0].unlink()
    assert command("stage", "guest", "--guest", "near", *ASKED) == 2
    assert not paths.guest("near", "").exists()


def test_matching_is_that_of_any_boxes(paths: Paths) -> None:
    """The poses' track ids are the guest's own, so no person is taken from them."""
    annotations = read(Annotations, paths.annotations("val"))
    found = read(Predictions, paths.guest("near", "predictions.json"))
    assert found.boxes == "guest"
    assert read_json(paths.guest("near", "metrics.json"))["oks"]["matching"] == "best"
    scores = average_precision(match(from_records(annotations, found)))
    assert scores.n_found.sum() == 15 * 2 * 2 * fake_study.SEQUENCES


def test_why_answers_for_a_guest(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    def why(*more: str) -> str:
        assert command("why", "near", *ASKED, *more) == 0
        return capsys.readouterr().out

    value = rows(paths)["near"].ours
    said = why("--json", "why.json")
    assert f"near: {value:.2f} AP (a guest, without seeds), current" in said
    assert json.loads(Path("why.json").read_text())["value"] == pytest.approx(value, abs=0.006)
    file = sorted(Path("../near").glob("*.json"))[0]
    file.write_text(file.read_text() + " ")
    said = why()
    assert "without seeds), stale" in said
    assert "guest (what it read) changed" in said
    assert f"make it again: snakemake --cores all --config scale={SCALE}" in said
