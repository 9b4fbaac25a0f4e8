"""The file of the MLflow database: whole, half made, damaged, and made by a process that dies."""

import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips.records import RecordError
from tips.tracking import copies
from tips.tracking import database as files
from tips.tracking.mlflow_store import opened
from tips.tracking.mlflow_sync import Counts, Told, sync
from tips.tracking.run_files import read_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]
SEED = 19
KILLS = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Path:
    """A database with one run."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copyfile(blank, folder / "mlflow.db")
    sync(folder / "mlflow.db", "test toy", read_runs(a_run(folder)), Told())
    return folder / "mlflow.db"


def a_run(folder: Path) -> Path:
    run = folder / "runs/full/seed-0"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps({"total": 50}))
    return folder / "runs"


def of_the_seed(artifacts: Path) -> Path:
    (copy,) = artifacts.glob("*/artifacts/metrics.json")
    return copy.parents[1]


def test_a_new_database_is_whole_and_alone(whole: Path) -> None:
    assert files.problem(whole) == ""
    assert {path.name for path in whole.parent.iterdir()} == {
        *("mlflow.db", "mlflow.lock", "mlflow-artifacts", "runs")
    }


@pytest.mark.parametrize("name", ["a?b", "a#b", "a b", "a%41", "a&b=c"])
def test_a_checkout_s_name_is_no_part_of_the_address(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(whole.parent, tmp_path / name / "results")
    monkeypatch.chdir(tmp_path / name)
    database = Path("results/mlflow.db").absolute()
    assert sync(database, "test toy", read_runs(Path("results/runs")), Told()) == Counts(0, 1, 0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_database_that_was_cut_is_never_believed(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()

    @given(st.one_of(st.integers(0, 5000), st.integers(0, len(content) - 1)))
    @settings(max_examples=60)
    def check(size: int) -> None:
        cut = tmp_path / "cut.db"
        cut.write_bytes(content[:size])
        assert files.problem(cut)
        assert cut.read_bytes() == content[:size]

    check()


def test_a_database_in_the_making_is_never_believed(whole: Path, tmp_path: Path) -> None:
    """Without any one table, and with the version of an earlier step."""
    with closing(sqlite3.connect(whole)) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for (name,) in named if not name.startswith("sqlite_")]
    for statement in (
        *(f"DROP TABLE {name}" for name in tables),
        "UPDATE alembic_version SET version_num = '451aebb31d03'",
        "DELETE FROM alembic_version",
        "ALTER TABLE experiments DROP COLUMN last_update_time",
    ):
        half = Path(shutil.copyfile(whole, tmp_path / "half.db"))
        with closing(sqlite3.connect(half)) as connection:
            connection.execute(statement)
            connection.commit()
        assert files.problem(half), statement


@pytest.mark.parametrize("how", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_file_that_another_program_writes_is_not_called_broken(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    monkeypatch.setattr(files, "SOON", 0.01)
    monkeypatch.setattr(files, "PATIENCE", 0.02)
    mine = Path(shutil.copyfile(whole, tmp_path / "mlflow.db"))
    with closing(sqlite3.connect(mine)) as other:
        other.execute(f"BEGIN {how}")
        with (
            caplog.at_level(logging.INFO, files.__name__),
            pytest.raises(RecordError, match=r"mlflow\.db: another program .*; close that program"),
        ):
            files.prepare(mine)
    (said,) = caplog.messages
    assert said == f"{mine}: another program has it open; waiting up to 0.02 s for it"
    files.prepare(mine)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_broken_ones_are_kept_and_made_again_from_the_runs(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_make", lambda new: shutil.copyfile(whole, new))
    database, runs = tmp_path / "mlflow.db", a_run(tmp_path)
    for number, content in enumerate((b"", b"notes, no database\n", whole.read_bytes()[:-4096]), 1):
        database.write_bytes(content)
        (tmp_path / "mlflow.db-journal").write_bytes(b"x")
        caplog.clear()
        with caplog.at_level(logging.WARNING, files.__name__):
            sync(database, "test other", read_runs(runs), Told())
        assert files.problem(database) == ""
        assert (tmp_path / f"mlflow-broken-{number}.db").read_bytes() == content
        assert not (tmp_path / "mlflow.db-journal").exists()
        (said,) = caplog.messages
        assert f"it is kept as mlflow-broken-{number}.db" in said
        assert "\n" not in said
    assert sync(database, "test other", read_runs(runs), Told()) == Counts(0, 1, 0)
    kept = {path.name for path in (tmp_path / "mlflow-artifacts").iterdir()}
    assert kept <= files.living(database)  # none of the broken ones


def test_whatever_lies_in_its_place_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_make", Path.touch)
    database = tmp_path / "mlflow.db"
    database.mkdir()
    files.prepare(database)
    assert (tmp_path / "mlflow-broken-1.db").is_dir()
    database.unlink()
    database.symlink_to("nowhere")
    files.prepare(database)
    assert (tmp_path / "mlflow-broken-2.db").is_symlink()
    assert database.is_file()


HOSTILE = {
    "a path for an id": "UPDATE runs SET run_uuid = '/tmp/victim/data' WHERE name = 'full'",
    "a way up for an id": "UPDATE runs SET run_uuid = '../../../../x' WHERE name = 'full'",
    "bytes for an id": "UPDATE runs SET run_uuid = CAST(run_uuid AS BLOB) WHERE name = 'full'",
    "files elsewhere": "UPDATE runs SET artifact_uri = '/etc' WHERE name = 'full'",
    "files above": "UPDATE runs SET artifact_uri = 'mlflow-artifacts:/../x' WHERE name = 'full'",
    "files of a server": "UPDATE runs SET artifact_uri = 'mlflow-artifacts://x.org/a'",
    "files behind a link": "UPDATE runs SET artifact_uri = '/proc/self/cwd/mlruns/0/a'",
    "an experiment elsewhere": "UPDATE experiments SET artifact_location = 'file:///etc'",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM tags; END",
    "a trigger with MLflow's name": "DROP TRIGGER prevent_secrets_aad_mutation; CREATE TRIGGER"
    " prevent_secrets_aad_mutation AFTER INSERT ON runs BEGIN DELETE FROM tags; END",
    "a view": "CREATE VIEW v AS SELECT 1",
    "a table that is computed": "CREATE VIRTUAL TABLE v USING fts5(a)",
}


@pytest.mark.parametrize("statement", HOSTILE.values(), ids=HOSTILE)
def test_a_database_that_leads_out_of_the_study_is_set_aside(
    whole: Path, tmp_path: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_make", lambda new: shutil.copyfile(whole, new))
    database = Path(shutil.copyfile(whole, tmp_path / "mlflow.db"))
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(statement)
    before = database.read_bytes()
    files.prepare(database)
    assert (tmp_path / "mlflow-broken-1.db").read_bytes() == before
    assert files.problem(database) == ""


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_database_that_is_elsewhere_stays_as_it_is(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    monkeypatch.setattr(files, "_make", lambda new: shutil.copyfile(whole, new))
    outside = Path(shutil.copyfile(whole, tmp_path / "outside.db"))
    database = tmp_path / "results/mlflow.db"
    database.parent.mkdir()
    link(database, outside)
    sync(database, "test toy", [], Told())
    assert outside.read_bytes() == whole.read_bytes()
    assert database.lstat().st_nlink == 1
    assert not database.is_symlink()
    assert (database.parent / "mlflow-broken-1.db").samefile(outside)


def test_what_is_no_file_beside_the_database_is_set_aside(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database, precious = tmp_path / "mlflow.db", tmp_path / "precious"
    shutil.copyfile(whole, database)
    precious.write_text("precious")
    (tmp_path / "mlflow.db-wal").symlink_to(precious)
    (tmp_path / "mlflow.db-shm").hardlink_to(precious)
    (tmp_path / "mlflow.db-journal").mkdir()
    assert "mlflow.db-journal, which is no file" in files.problem(database)
    with caplog.at_level(logging.WARNING, files.__name__):
        files.prepare(database)
    assert files.problem(database) == ""
    assert precious.read_text() == "precious"
    assert database.read_bytes() == whole.read_bytes()
    assert [said.partition(":")[0] for said in caplog.messages] == [
        str(tmp_path / f"mlflow.db{end}") for end in files.BESIDE
    ]
    assert caplog.messages[1].endswith("is a link; it is kept as mlflow-broken-2.db-wal")


def test_a_journal_removes_no_file_that_it_names(whole: Path, tmp_path: Path) -> None:
    """Sqlite removes what a journal of several databases names; ours is never of several."""
    database, precious = tmp_path / "mlflow.db", tmp_path / "precious"
    shutil.copyfile(whole, database)
    precious.write_text("precious")
    name = bytes(precious)
    page = int.from_bytes(database.read_bytes()[16:18], "big")
    pages = database.stat().st_size // page
    head = struct.pack(">5I", 0, 0, pages, 512, page).ljust(504, b"\0")
    ending = struct.pack(">2I", len(name), sum(name)) + files.NAMES_ANOTHER
    lock = struct.pack(">I", 2**30 // page + 1)
    content = files.NAMES_ANOTHER + head + lock + name + ending
    (tmp_path / "mlflow.db-journal").write_bytes(content)
    files.prepare(database)
    assert precious.exists()
    assert (tmp_path / "mlflow-broken-1.db-journal").read_bytes() == content
    assert database.read_bytes() == whole.read_bytes()


def test_what_is_left_of_making_goes_whatever_it_is(whole: Path, tmp_path: Path) -> None:
    database, outside = tmp_path / "results/mlflow.db", tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    database.parent.mkdir()
    shutil.copyfile(whole, database)
    (database.parent / f"{files.MAKING}link").symlink_to(outside)
    (database.parent / f"{files.MAKING}file").touch()
    (database.parent / f"{files.MAKING}folder").mkdir()
    files.prepare(database)
    assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]
    assert (outside / "folder").is_dir()


def test_artifacts_behind_a_link_are_neither_removed_nor_written(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(whole.parent, tmp_path / "results")
    database, artifacts = tmp_path / "results/mlflow.db", tmp_path / "results/mlflow-artifacts"
    outside = artifacts.rename(tmp_path / "outside")
    (outside / ("0" * 32)).mkdir()
    (outside / ("0" * 32) / copies.MARK).touch()
    before = sorted(outside.rglob("*"))
    artifacts.symlink_to(outside)
    with caplog.at_level(logging.WARNING, files.__name__):
        counts = sync(database, "test toy", read_runs(tmp_path / "results/runs"), Told())
    assert counts == Counts(1, 0, 0)  # its copies are missing
    assert sorted(outside.rglob("*")) == before
    assert (tmp_path / "results/mlflow-artifacts-broken-1").is_symlink()
    assert len(list(artifacts.glob("*/artifacts/metrics.json"))) == 1
    assert not artifacts.is_symlink()
    (said,) = caplog.messages
    assert "is no folder; it is kept as mlflow-artifacts-broken-1" in said


@pytest.mark.parametrize("place", [".", "artifacts", "artifacts/metrics.json", "artifacts/more"])
def test_a_link_among_the_copies_is_replaced(whole: Path, tmp_path: Path, place: str) -> None:
    shutil.copytree(whole.parent, tmp_path / "results")
    database, artifacts = tmp_path / "results/mlflow.db", tmp_path / "results/mlflow-artifacts"
    mine = of_the_seed(artifacts)
    (mine / "artifacts/more").touch()
    outside = (mine / place).rename(tmp_path / "outside")
    (mine / place).symlink_to(outside)
    sync(database, "test toy", read_runs(tmp_path / "results/runs"), Told())
    assert not any(path.is_symlink() for path in artifacts.rglob("*"))
    assert outside.exists()
    assert len(list(artifacts.glob("*/artifacts/metrics.json"))) == 1


def test_artifacts_of_nobody_go_and_those_of_others_stay(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole.parent, tmp_path / "results")
    database, artifacts = tmp_path / "results/mlflow.db", tmp_path / "results/mlflow-artifacts"
    mine = of_the_seed(artifacts)
    for name in ("0" * 32, "my-own-folder"):
        (artifacts / name).mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO runs (run_uuid, experiment_id, lifecycle_stage)"
            f" VALUES ('{'a' * 32}', 0, 'deleted')"
        )
        connection.commit()
    for name in ("a" * 32, "b" * 32, "c" * 32):
        (artifacts / name / "artifacts").mkdir(parents=True)
    (artifacts / ("c" * 32) / copies.MARK).touch()
    sync(database, "test toy", read_runs(tmp_path / "results/runs"), Told())
    assert mine.name in files.living(database)
    assert {path.name for path in artifacts.iterdir()} == {
        *files.living(database),
        "my-own-folder",
        "b" * 32,  # of a user, whose database was deleted
    }


@pytest.mark.parametrize("before", ["set_terminated", "set_tag", "delete_run"])
def test_killed_while_it_ends_a_run(
    whole: Path, tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run counts as complete only when it has ended, whatever came in between."""
    from mlflow.tracking import MlflowClient

    shutil.copytree(whole.parent, tmp_path / "results")
    database, runs = tmp_path / "results/mlflow.db", tmp_path / "results/runs"
    (runs / "full/seed-0/metrics.json").write_text(json.dumps({"total": 60}))

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, before, dies)
        with pytest.raises(KeyboardInterrupt):
            sync(database, "test toy", read_runs(runs), Told())
    sync(database, "test toy", read_runs(runs), Told())
    with opened(database, "test toy") as store:
        known = store.known()
    assert set(known) == {("full", ""), ("full", "0"), ("", "")}
    assert {run.info.status for run in known.values()} == {"FINISHED"}
    assert [known["full", seed].data.metrics["total"] for seed in ("", "0")] == [60, 60]
    assert sync(database, "test toy", read_runs(runs), Told()) == Counts(0, 1, 0)


MAKE = """
import sys
from pathlib import Path
from tips.tracking import database
with database.locked(Path(sys.argv[1])):
    print("begun", flush=True)
    database.prepare(Path(sys.argv[1]))
"""


def test_killed_while_it_makes_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none or a whole one, at every moment; what was half made goes."""
    moments = random.Random(SEED)
    database = tmp_path / "results/mlflow.db"
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", MAKE, database], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.stdout
        assert child.stdout.readline() == b"begun\n"
        folder = database.parent
        while not (list(folder.glob(f"{files.MAKING}*/mlflow.db")) or database.exists()):
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1))
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert not database.exists() or files.problem(database) == ""
        database.unlink(missing_ok=True)
    monkeypatch.setattr(files, "_make", Path.touch)
    files.prepare(database)
    assert {path.name for path in database.parent.iterdir()} == {"mlflow.db", "mlflow.lock"}
