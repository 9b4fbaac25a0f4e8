"""The drill sees what it looks for, and kills where it is told to."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from contents import contents, differences
from study import NAME

RENAMES = """
import os, pathlib
for number in range(1, 5):
    pathlib.Path("a").touch()
    pathlib.Path("a").replace(f"done-{number}")
"""
PLACE = "demo:<string>-5"  # a stage, and the line that asks
TABLES = """
create table runs (run_uuid, name, status, lifecycle_stage);
create table params (run_uuid, key, value);
create table tags (run_uuid, key, value);
create table metrics (run_uuid, key, step, value);
insert into runs values ('1', 'tips', 'FINISHED', 'active'), ('2', 'old', 'FINISHED', 'deleted');
insert into params values ('1', 'width', '8');
insert into tags values ('1', 'tips.kind', 'seed'), ('1', 'provenance.seconds', '3.2');
insert into metrics values ('1', 'total', 0, 61.5);
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with one file of every sort."""
    results = tmp_path / "results" / NAME
    run = results / "runs/embedded/tips/seed-0"
    run.mkdir(parents=True)
    (run / "checkpoint.pt").write_bytes(b"weights")
    (run / "provenance.json").write_text(json.dumps({"steps": 4, "seconds": 1.5}))
    (results / "speed.json").write_text("{}")
    with closing(sqlite3.connect(results / "mlflow.db")) as base:
        base.executescript(TABLES)
    return tmp_path


def write(name: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return change


def ask(words: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        with closing(sqlite3.connect(folder / f"results/{NAME}/mlflow.db")) as base:
            base.executescript(words)

    return change


RUN = f"results/{NAME}/runs/embedded/tips/seed-0"


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        (write(f"{RUN}/checkpoint.pt", "weight5"), f"differs: {RUN}/checkpoint.pt"),
        (write(f"{RUN}/provenance.json", '{"steps": 5}'), f"differs: {RUN}/provenance.json"),
        (write(f"{RUN}/.checkpoint.77.pt", ""), f"left behind: {RUN}/.checkpoint.77.pt"),
        (write(".snakemake/locks/0.input.lock", ""), "left behind: .snakemake/locks/0.input.lock"),
        (lambda folder: (folder / RUN / "checkpoint.pt").unlink(), f"missing: {RUN}/checkpoint.pt"),
        (ask("update metrics set value = 61.6"), "differs: mlflow: tips: metrics: total [0]"),
        (ask("update params set value = '9'"), "differs: mlflow: tips: params: width"),
        (ask("delete from tags where key = 'tips.kind'"), "missing: mlflow: tips: tags: tips.kind"),
        (ask("update runs set status = 'RUNNING'"), "differs: mlflow: states"),
        (ask("insert into runs values ('3', 'tips', 'FINISHED', 'active')"), "differs: mlflow: r"),
        (write(f"results/{NAME}/mlflow-artifacts/9/a", ""), "left behind: mlflow: artifacts of no"),
    ],
)
def test_every_difference_is_one_line(
    study: Path, change: Callable[[Path], object], starts: str
) -> None:
    before = contents(study)
    change(study)
    (found,) = differences(before, contents(study))
    assert found.startswith(starts)


@pytest.mark.parametrize(
    "change",
    [
        write(f"{RUN}/provenance.json", '{"seconds": 9.5, "steps": 4}'),
        write(f"results/{NAME}/speed.json", '{"hrnet": 2}'),
        ask("update tags set value = '9' where key = 'provenance.seconds'"),
        ask("update runs set run_uuid = '7' where name = 'old'"),
    ],
)
def test_measured_times_are_no_difference(study: Path, change: Callable[[Path], object]) -> None:
    before = contents(study)
    change(study)
    assert not differences(before, contents(study))


@pytest.mark.parametrize("number", [1, 3, 4])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_stage_dies_at_the_rename_that_was_ordered(
    tmp_path: Path, number: int, when: str
) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    (orders / PLACE).write_text(f"{number} {when}")
    words = [sys.executable, "-c", RENAMES, "tips", "stage", "demo"]
    path = Path(__file__).with_name("renames")
    environment = os.environ | {"PYTHONPATH": str(path), "DRILL_RENAMES": str(orders)}
    for code, done in ((-signal.SIGKILL, number - (when == "before")), (0, 4)):  # it is taken once
        ended = subprocess.run(words, cwd=tmp_path, env=environment, check=False)
        assert ended.returncode == code
        assert len(list(tmp_path.glob("done-*"))) == done
    seen = (orders / "seen.txt").read_text().splitlines()
    assert seen == [f"{PLACE} {one}" for one in (*range(1, number + 1), *range(1, 5))]
