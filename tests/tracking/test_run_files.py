"""What is read of a run folder that anybody may have written."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.records import RecordError
from tips.tracking.mlflow_store import legal, legal_name
from tips.tracking.run_files import RunFiles, read_runs

NAMES = st.one_of(st.text(), st.text(st.sampled_from("./ a:<-\n"), max_size=300))


def a_run(folder: Path, **provenance: Any) -> Path:
    run = folder / "runs/full/seed-0"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps({"total": 50}))
    (run / "provenance.json").write_text(json.dumps(provenance))
    return run


def only(folder: Path) -> RunFiles:
    (run,) = read_runs(folder / "runs")
    return run


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
@given(NAMES, st.text())
def test_mlflow_takes_every_name_and_value(name: str, value: str) -> None:
    from mlflow.utils import validation

    for key, text in legal({name: value * 100}).items():
        validation._validate_param(key, text)
        validation._validate_tag(key, text)
        validation._validate_metric(key, 1.0, 0, 0)
    assert legal_name(legal_name(name)) == legal_name(name)


def test_what_is_hidden_linked_or_active_is_no_artifact_and_not_in_the_key(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    before = only(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "linked.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / ".half").mkdir()
    for name in (".metrics.123.json", ".half/metrics.json", "page.html", "picture.svg", "small.pt"):
        (folder / name).write_text("x")
    assert only(tmp_path) == before
    assert [path.name for path in before.artifacts] == ["metrics.json", "provenance.json"]
    (folder / "notes.txt").write_text("mine")
    assert only(tmp_path).key != before.key


@pytest.mark.parametrize("name", [".full/seed-0", "full/.seed-0", "full/seed-0.bak", "full/seed-"])
def test_other_folders_are_no_runs(tmp_path: Path, name: str) -> None:
    folder = a_run(tmp_path)
    (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / name / "metrics.json").write_text("{}")
    assert only(tmp_path).folder == folder


@pytest.mark.parametrize("file", ["metrics.json", "detected/metrics.json"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_metrics_that_are_no_file_leave_out_this_run_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, make: Callable[[Path], None]
) -> None:
    folder = a_run(tmp_path)
    before = only(tmp_path)
    bad = folder.with_name("seed-1") / file
    bad.parent.mkdir(parents=True)
    make(bad)
    for name in ("provenance.json", "train.jsonl", "notes.txt"):
        make(folder.with_name("seed-1") / name)
    assert only(tmp_path) == before
    (said,) = caplog.messages
    assert said.startswith(f"{bad}: is no regular file, so this run is left out; remove it")


@pytest.mark.parametrize("seconds", ["x", None, -1, 1e300, 10**400, float("inf"), float("nan")])
def test_a_time_that_is_none_is_one_line(tmp_path: Path, seconds: Any) -> None:
    a_run(tmp_path, seconds=seconds)
    with pytest.raises(RecordError, match=r"provenance\.json: seconds is .*train again"):
        only(tmp_path)


def test_a_training_ends_with_its_record_and_lasted_its_seconds(tmp_path: Path) -> None:
    record = a_run(tmp_path, seconds=90.5) / "provenance.json"
    os.utime(record, (1_000_000, 1_000_000))
    run = only(tmp_path)
    assert (run.start, run.end) == (1_000_000_000 - 90_500, 1_000_000_000)
    assert "the start its `seconds` before" in run.tags["tips.times"]
    assert "interrupted" not in run.tags["tips.times"]
    record.write_text(json.dumps({"seconds": 90.5, "resumed_at": 40}))
    assert "the training was interrupted" in only(tmp_path).tags["tips.times"]
    record.unlink()
    os.utime(record.with_name("metrics.json"), (2_000_000, 2_000_000))
    run = only(tmp_path)
    assert run.start == run.end == 2_000_000_000
    assert "no training" in run.tags["tips.times"]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"commit": "a" * 40, "dirty": True}, {"commit": "a" * 40, "dirty": "true"}),
        ({"commit": "a" * 40, "dirty": False}, {"commit": "a" * 40, "dirty": "false"}),
        ({"commit": "a" * 40, "dirty": None}, {"commit": "a" * 40}),
        ({"commit": "not a git checkout", "dirty": False}, {"dirty": "false"}),
        ({"commit": "<script>", "dirty": "yes"}, {}),
        ({}, {}),
    ],
)
def test_a_commit_is_shown_as_one_only_if_it_is_one(
    tmp_path: Path, recorded: dict[str, Any], shown: dict[str, str]
) -> None:
    a_run(tmp_path, scale="toy", **recorded)
    tags, start = only(tmp_path).tags, "mlflow.source.git."
    found = {name.removeprefix(start): v for name, v in tags.items() if name.startswith(start)}
    assert found == shown


def test_the_source_is_the_command_that_trained_it(tmp_path: Path) -> None:
    a_run(tmp_path, scale="toy; rm -r /")
    tags = only(tmp_path).tags
    command = "tips stage train --scale 'toy; rm -r /' --variant full --seed 0"
    assert tags["mlflow.source.name"] == command
    assert tags["mlflow.source.type"] == "LOCAL"


def test_settings_are_those_that_the_training_reads(tmp_path: Path) -> None:
    a_run(tmp_path, meaning={"model": "tips"}, config={"model": "tips", "unread": 1})
    run = only(tmp_path)
    assert run.settings == {"model": "tips"}
    assert not any("unread" in name for name in run.tags)


@pytest.mark.parametrize("file", ["metrics.json", "provenance.json"])
@pytest.mark.parametrize("content", ["[]", "7", "null", "{", '"x"'])
def test_a_record_that_is_none_is_one_line(tmp_path: Path, file: str, content: str) -> None:
    (a_run(tmp_path) / file).write_text(content)
    with pytest.raises(RecordError, match=file):
        only(tmp_path)


def test_a_configuration_without_names_is_one_line(tmp_path: Path) -> None:
    a_run(tmp_path, meaning=["a"])
    with pytest.raises(RecordError, match=r"provenance\.json: meaning: no names"):
        only(tmp_path)


def test_numbers_of_any_size_are_read_or_left_out(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    columns = f'{{"a": 1{"0" * 400}, "b": NaN, "c": true, "d": 1e9}}'
    (folder / "metrics.json").write_text(f'{{"columns": {columns}}}')
    assert only(tmp_path).metrics == {"various/columns/d": 1e9}


@pytest.mark.parametrize("step", [-1, 10**30, 1.5])
def test_a_step_that_is_none_is_one_line(tmp_path: Path, step: float) -> None:
    line = {"step": step, "epoch": 0, "rate": 1e-3, "terms": {}, "total": 1.0}
    (a_run(tmp_path) / "train.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(RecordError, match="line 1 is not a logging step"):
        only(tmp_path)


def test_a_state_of_the_checkout_that_is_unknown_is_a_tag(tmp_path: Path) -> None:
    a_run(tmp_path, commit="unknown", dirty=None, dirty_reason="git refuses")
    tags = only(tmp_path).tags
    names = ("commit", "dirty", "dirty_reason")
    assert [tags[f"tips.{name}"] for name in names] == ["unknown", "unknown", "git refuses"]
    assert not {f"provenance.{name}" for name in names} & tags.keys()
