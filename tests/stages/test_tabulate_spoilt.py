"""What becomes of a study's tables if files of its runs hold what no stage wrote."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import fake_study
import pytest
from spoiled import work_on_copy

from tips import records
from tips.config import load_study
from tips.paths import Paths, study_paths
from tips.stages import tabulate


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True):
        pass
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of the measured study that a test may spoil."""
    work_on_copy(finished, tmp_path, monkeypatch)
    return study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)


def table(paths: Paths, name: str) -> dict[str, dict[str, str]]:
    with (paths.results / "tables" / f"table-{name}.csv").open(newline="") as stream:
        return {row["row"]: row for row in csv.DictReader(stream)}


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("spoil", [pipe, endless, folder])
@pytest.mark.parametrize("which", ["metrics", "evidence", "predictions"])
def test_what_is_no_file_makes_its_run_failed(
    paths: Paths, spoil: Callable[[Path], None], which: str
) -> None:
    spoil(getattr(paths, which)("groups-1", "0", "gt"))
    tabulate.run(fake_study.SCALE)
    five = table(paths, "5")
    assert (five["1"]["status"], five["5"]["status"]) == ("failed", "done")


@pytest.mark.parametrize(
    ("file", "key"),
    [
        *(("provenance", key) for key in ("code", "meaning", "input_digests", "parameters")),
        *(("predicted", key) for key in ("code", "settings", "inputs")),
        *(("metrics", key) for key in ("code", "settings", "inputs", "total")),
    ],
)
def test_a_spoilt_record_fails_its_run_alone(paths: Paths, file: str, key: str) -> None:
    spoilt = {
        "provenance": paths.run("dcpose", "0") / "provenance.json",
        "predicted": paths.predicted("dcpose", "0", "gt"),
        "metrics": paths.metrics("dcpose", "0", "gt"),
    }[file]
    records.write_json(records.read_json(spoilt) | {key: []}, spoilt)
    tabulate.run(fake_study.SCALE)
    rows = table(paths, "2")
    assert rows["e"]["status"] == "done"
    if key == "parameters":  # which only a column reads
        assert table(paths, "M")["DCPose"]["parameters"] == "failed"
        return
    assert rows["DCPose"]["status"] in ("failed", "partial")
    assert f"{file}.json: {key}: " in rows["DCPose"]["note"]


def test_an_edited_total_fails_its_run(paths: Paths) -> None:
    file = paths.metrics("groups-1", "0", "gt")
    records.write_json(records.read_json(file) | {"total": 99.99}, file)
    tabulate.run(fake_study.SCALE)
    row = table(paths, "5")["1"]
    assert row["status"] == "failed"
    assert row["note"].startswith("metrics.json: total 99.99, where evidence.npz gives ")


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        *(("psnr", ("val", "mean"), value) for value in ("1e400", "NaN", "-1e300", "1e300")),
        *(("speed", ("rows", "tips", "wall_ratio"), value) for value in ("NaN", "1e400", "-1")),
        *(("speed", ("interim",), '{"vfit": NaN}'), ("speed", ("threads",), "-1")),
        *(("groups", ("groups",), value) for value in ("null", "NaN", "[]", "[[0, 0]]")),
        *(("groups", ("matrix",), value) for value in ("null", "NaN", "[]", "[[1e400]]")),
        *(("groups", ("ari",), value) for value in ("NaN", "-1e300")),
    ],
)
def test_numbers_that_are_none_are_refused_with_a_remedy(
    paths: Paths, name: str, keys: tuple[str, ...], value: str
) -> None:
    file = {
        "psnr": paths.interim("flow") / "psnr.json",
        "speed": paths.speed,
        "groups": paths.groups("5"),
    }[name]
    whole = part = records.read_json(file)
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = "here"
    file.write_text(json.dumps(whole).replace('"here"', value))
    with pytest.raises(records.RecordError) as caught:
        tabulate.run(fake_study.SCALE)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert keys[0] in message
    assert message.endswith("; delete the file and run again")
    assert "\n" not in message
