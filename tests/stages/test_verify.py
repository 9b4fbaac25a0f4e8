"""Verifying and comparing finished studies: what was changed is named, and verdicts are by hand."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import fake_study
import numpy as np
import pytest
from spoiled import work_on_copy

from tips import records
from tips.config import ConfigError, load_study
from tips.evaluation import intervals
from tips.evaluation.metrics import read_scored
from tips.paths import Paths, study_paths
from tips.provenance import file_digest
from tips.records import RecordError, read_json, write_json
from tips.stages import diff, report, tabulate, verify
from tips.tables.ablations import COMPONENTS
from tips.tables.methods import METHODS

SCALE = fake_study.SCALE
OTHER = Path("other")


def paths_here() -> Paths:
    return study_paths(load_study(SCALE, Path("experiments")).scale)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tabulated study, and below `other` a rerun in which two rows came out otherwise."""
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True):
        tabulate.run(SCALE)
        shutil.copytree(folder, folder.with_name("rerun"))
    with chdir(folder.with_name("rerun")):
        paths, study = paths_here(), load_study(SCALE, Path("experiments"))
        annotations = records.read(records.Annotations, paths.annotations("val"))
        for name, noise in (("tips", 0.325), ("dcpose", 0.8)):
            for seed in range(3):
                fake_study.write_run(study, paths, annotations, name, seed, noise)
                fake_study.measure((name, seed, "gt"))
        tabulate.run(SCALE)
    shutil.move(folder.with_name("rerun"), folder / OTHER)
    return folder


@pytest.fixture
def paths(both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    work_on_copy(both, tmp_path, monkeypatch)
    return paths_here()


@pytest.fixture
def other(paths: Paths) -> Paths:
    return paths._replace(results=OTHER / paths.results, reports=OTHER / paths.reports)


def verified(code: int, study: Path | None = None, against: Path = OTHER) -> dict[str, Any]:
    """Verifies, checks the exit code, and gives the answer."""
    answer = Path("answer.json").absolute()
    if code:
        with pytest.raises(SystemExit) as ended:
            verify.run(study, against, SCALE, json=answer)
        assert ended.value.code == code
    else:
        verify.run(study, against, SCALE, json=answer)
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {row["row"]: row["state"] for row in answer["rows"]}


def printed(paths: Paths, variant: str) -> tuple[float, float]:
    """The gain over hrnet that the tables' files print, and half of its interval."""
    for sheet in (COMPONENTS, METHODS):
        for row in sheet.read(paths):
            cells = row.cells()
            if cells["variant"] == variant and cells["baseline"] == "hrnet":
                low, high = float(cells["low"]), float(cells["high"])
                return float(cells["gain_ours"]), (high - low) / 2
    raise AssertionError(variant)


def test_the_states_of_three_rows_are_those_computed_by_hand(paths: Paths, other: Paths) -> None:
    answer = verified(1)
    found = states(answer)
    by_hand = {}
    for name in ("tips", "dcpose", "synthesis-only"):
        (here, half), (there, other_half) = printed(paths, name), printed(other, name)
        outside = abs(here - there) > math.hypot(half, other_half) + 0.01
        equal = (paths.predictions(name, "0", "gt").read_bytes()) == (
            other.predictions(name, "0", "gt").read_bytes()
        )
        by_hand[name] = "identical" if equal else "outside" if outside else "within"
    assert by_hand == {"tips": "within", "dcpose": "outside", "synthesis-only": "identical"}
    assert {name: found[name] for name in by_hand} == by_hand
    assert answer["findings"] == []
    assert answer["counts"]["outside"] == 1
    here = [read_json(paths.metrics("dcpose", str(n), "gt"))["total"] for n in range(3)]
    row = next(row for row in answer["rows"] if row["row"] == "dcpose")
    assert row["here"] == pytest.approx(np.mean(np.round(here, 2)))


def test_a_study_verifies_against_itself(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    report.run(SCALE)
    answer = verified(0, against=paths.numbers)
    assert set(states(answer).values()) == {"identical"}
    assert (answer["findings"], answer["level"], answer["differences"]) == ([], 0, [])
    assert capsys.readouterr().out.splitlines()[-1] == answer["summary"]
    shutil.rmtree("reports")
    assert verified(0, study=paths.results, against=Path())["counts"] == answer["counts"]


def test_the_committed_reference_of_the_scale_is_taken(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    file = numbers(paths)
    told = read_json(file)
    for name, scale in (("reference", "desk"), ("reference-mine", SCALE)):
        folder = Path("reports") / name
        folder.mkdir(exist_ok=True)
        write_json(told | {"scale": scale}, folder / "numbers.json")
    verify.run(scale=SCALE)
    assert capsys.readouterr().out.splitlines()[-1].endswith("levels +0.00 (made alike)")
    of_the_first_format = {"scale", "dataset", "metric", "sequences", "rows", "conclusions"}
    old = {key: value for key, value in told.items() if key in of_the_first_format}
    for row in old["rows"]:
        del row["configuration"], row["code"]
    write_json(old, Path("reports/reference-mine/numbers.json"))
    verify.run(scale=SCALE)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("levels +0.00 (the reference does not say how it was made)")


def moved(paths: Paths, pixels: float = 30.0) -> Path:
    """Moves one joint of one pose of the full model."""
    file = paths.predictions("tips", "1", "gt")
    told = read_json(file)
    told["sequences"][5]["frames"][1]["poses"][0]["joints"][7][0] += pixels
    write_json(told, file)
    return file


def test_one_altered_joint_is_found_and_named(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    moved(paths)
    answer = verified(1, against=paths.results)
    assert {one["where"] for one in answer["findings"]} >= {"tips, seed 1"}
    assert any("predictions.json changed" in one["what"] for one in answer["findings"])
    said = capsys.readouterr().out
    assert "tips, seed 1: predictions.json changed since it was measured" in said


def test_a_forger_who_renews_the_digests_is_found_by_measuring_again(paths: Paths) -> None:
    from tips.provenance import file_digest

    file, metrics = moved(paths), paths.metrics("tips", "1", "gt")
    told = read_json(metrics)
    told["inputs"]["predictions"] = file_digest(file)
    write_json(told, metrics)
    found = verified(1, against=paths.results)["findings"]
    assert [one["where"] for one in found] == ["tips, seed 1"]
    assert "the predictions give" in found[0]["what"]


SPOILED: dict[str, Callable[[Paths], object]] = {
    "tips, seed 0": lambda paths: paths.evidence("tips", "0", "gt").write_bytes(b"PK"),
    "tips, seed 2": lambda paths: paths.metrics("tips", "2", "gt").write_text("{"),
    "dcpose, seed 1": lambda paths: paths.metrics("dcpose", "1", "gt").unlink(),
    "table-2.csv": lambda paths: _replace(COMPONENTS.file(paths), "ours", "99.9"),
}


def _replace(file: Path, column: str, value: str) -> None:
    """Writes another value into the first row of a table."""
    with file.open(newline="") as stream:
        rows = list(csv.reader(stream))
    rows[1][rows[0].index(column)] = value
    with file.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def test_another_status_is_no_number_of_the_runs(paths: Paths) -> None:
    _replace(COMPONENTS.file(paths), "status", "stale")
    assert verified(1)["findings"] == []


@pytest.mark.parametrize("where", SPOILED)
def test_a_file_that_the_predictions_do_not_give_is_named(paths: Paths, where: str) -> None:
    SPOILED[where](paths)
    found = verified(1)["findings"]
    assert where in [one["where"] for one in found]


def test_nothing_is_written(paths: Paths) -> None:
    def files() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in sorted(Path().rglob("*")) if p.is_file()}

    before = files()
    with pytest.raises(SystemExit):
        verify.run(None, OTHER, SCALE)
    diff.run(Path(), OTHER, SCALE)
    assert files() == before


def refused(against: Path, study: Path | None = None) -> str:
    with pytest.raises((ConfigError, RecordError)) as error:
        verify.run(study, against, SCALE)
    assert "\n" not in str(error.value)
    return str(error.value)


def numbers(paths: Paths, **changes: Any) -> Path:
    report.run(SCALE)
    file = Path("changed.json")
    write_json(read_json(paths.numbers) | changes, file)
    return file


def test_references_that_mean_something_else_are_refused(paths: Paths) -> None:
    assert "format 3 of numbers.json" in refused(numbers(paths, format=3))
    assert "of dataset posetrack18" in refused(numbers(paths, dataset="posetrack18"))
    assert "of scale elsewhere" in refused(numbers(paths, scale="elsewhere", task="0" * 64))
    assert "rows" in refused(numbers(paths, rows=3))
    row = read_json(paths.numbers)["rows"][0]
    assert "'tips' stands there twice" in refused(numbers(paths, rows=[row, row]))
    assert "rows: Tuple should have at most" in refused(numbers(paths, rows=[row] * 3000))
    Path("changed.json").write_text("[]")
    assert "changed.json" in refused(Path("changed.json"))
    assert "gone" in refused(Path("gone"))
    assert "or the numbers.json of a report" in refused(Path("/dev/null"))
    with pytest.raises(ConfigError, match="no committed reference of scale fake"):
        verify.run(None, None, SCALE)


def test_a_study_without_runs_is_refused(paths: Paths) -> None:
    annotations = paths.annotations("val")
    annotations.write_text(annotations.read_text().replace("dance", "other"))
    assert "none can be read (the annotations changed since it was measured)" in refused(OTHER)
    shutil.rmtree(paths.results / "runs")
    assert "no run of scale fake was measured; run the study first" in refused(OTHER)


@pytest.fixture
def differences(paths: Paths) -> Any:
    answer = Path("answer.json")
    diff.run(Path(), OTHER, SCALE, json=answer)
    return json.loads(answer.read_text())


def test_paired_differences_are_those_of_a_slow_reference(
    differences: dict[str, Any], paths: Paths, other: Paths
) -> None:
    rows = {row["row"]: row for row in differences["rows"]}
    for name in ("tips", "dcpose"):
        sides = [
            {
                n: read_scored(at.metrics(name, str(n), "gt"), at.evidence(name, str(n), "gt"))
                for n in range(3)
            }
            for at in (paths, other)
        ]
        first, second = ([one.metrics.total for one in side.values()] for side in sides)
        assert rows[name]["difference"] == pytest.approx(np.mean(second) - np.mean(first))
        strata = sides[0][0].evidence.strata
        weights = intervals.resamples(strata, 60)
        drawn = [
            intervals.row({n: one.evidence for n, one in side.items()}, weights).resampled
            for side in sides
        ]
        least = 1.96 * np.std((drawn[1] - drawn[0]).mean(axis=0), ddof=1)
        half = (rows[name]["high"] - rows[name]["low"]) / 2
        assert half >= least - 1e-9  # the variance between seeds only adds to it
        assert rows[name]["settings"] == []
    assert rows["synthesis-only"]["state"] == "identical"
    assert rows["synthesis-only"]["difference"] == 0


def test_rows_settings_and_verdicts_that_differ_are_listed(paths: Paths, other: Paths) -> None:
    shutil.rmtree(other.run("synthesis-only", "0"))
    shutil.rmtree(paths.run("my-own-idea", "0"))
    record = other.run("groups-3", "0") / "provenance.json"
    told = read_json(record)
    told["meaning"]["training"]["epochs"] = 99
    write_json(told | {"machine": "another, 4 cores", "data_digest": "1" * 64}, record)
    answer = Path("answer.json")
    diff.run(Path(), OTHER, SCALE, json=answer)
    found = json.loads(answer.read_text())
    rows = {row["row"]: row for row in found["rows"]}
    assert rows["synthesis-only"]["state"] == "missing"
    assert rows["my-own-idea"]["state"] == "extra"
    assert [one.split(":")[0] for one in rows["groups-3"]["settings"]] == ["training.epochs"]
    flipped = {one["name"]: (one["a"], one["b"], one["cause"]) for one in found["verdicts"]}
    for name in ("II:b-HRNet", "II:e-b"):  # their rows lack the run that was removed
        assert flipped.pop(name)[1:] == ("missing", "a missing run")
    assert set(flipped) <= {"II:e-DCPose"}
    assert {one["what"] for one in found["differences"]} == {"machine"}


def test_studies_of_another_dataset_are_no_pair(paths: Paths) -> None:
    with pytest.raises(ConfigError, match="only studies of one dataset"):
        diff.run(Path(), numbers(paths, dataset="mine"), SCALE)


def test_predictions_that_are_gone_are_missed(paths: Paths) -> None:
    paths.predictions("tips", "1", "gt").unlink()
    found = verified(1, against=Path("."))["findings"]
    what = "predictions.json is missing, from which metrics.json was measured"
    assert {"where": "tips, seed 1", "what": what} in found


def test_synthesized_poses_without_joints_are_named(paths: Paths) -> None:
    """They have no record of a changed file, so only their form tells."""
    file = paths.predictions("tips", "1", "gt")
    told = read_json(file)
    told["sequences"][1]["between"][0]["ends"][1] = []
    write_json(told, file)
    metrics = paths.metrics("tips", "1", "gt")
    told = read_json(metrics)
    told["inputs"]["predictions"] = file_digest(file)
    write_json(told, metrics)
    assert any("between[0]: a pose has 15" in one["what"] for one in verified(1)["findings"])


def test_a_device_is_no_missing_file() -> None:
    with pytest.raises(ConfigError, match="/dev/zero: is neither a file nor a folder"):
        verify.run(Path("/dev/zero"), None, SCALE)
