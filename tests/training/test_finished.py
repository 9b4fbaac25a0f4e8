"""A finished run outlives the deletion of its outputs, and no more than that."""

import shutil
from pathlib import Path

import pytest

from tips.provenance import file_digest
from tips.records import read_json, write_json
from tips.training.finished import CHECKPOINT, MARK, OUTPUTS, RECORD, WEIGHTS, FinishedRun


@pytest.fixture
def finished(tmp_path: Path) -> FinishedRun:
    run = FinishedRun(tmp_path / "run", tmp_path / "state", "key")
    for name in OUTPUTS:
        run.run.mkdir(exist_ok=True)
        (run.run / name).write_text(name)
    write_json({WEIGHTS: file_digest(run.run / CHECKPOINT), "seed": 0}, run.run / RECORD)
    run.keep()
    return run


def as_snakemake_does(run: Path) -> None:
    for name in OUTPUTS:
        (run / name).unlink()


def test_deleted_outputs_come_back(finished: FinishedRun) -> None:
    for _ in range(2):
        as_snakemake_does(finished.run)
        record = finished.restore()
        assert record is not None
        assert record["seed"] == 0
        assert (finished.run / CHECKPOINT).read_text() == CHECKPOINT
        assert record == read_json(finished.run / RECORD)


def test_a_whole_run_needs_no_links(finished: FinishedRun) -> None:
    finished.forget()
    assert not finished.kept.exists()
    assert finished.restore() is not None
    as_snakemake_does(finished.run)
    assert finished.restore() is None


def test_a_deleted_folder_is_no_finished_run(finished: FinishedRun) -> None:
    shutil.rmtree(finished.run)
    finished.run.mkdir()
    assert finished.restore() is None
    assert not list(finished.run.iterdir())


def test_another_key_is_another_run(finished: FinishedRun) -> None:
    other = FinishedRun(finished.run, finished.kept.parent, "other")
    assert other.restore() is None


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"key": null}'])
@pytest.mark.parametrize("name", [MARK, RECORD])
def test_a_damaged_run_is_trained_anew(finished: FinishedRun, name: str, damage: str) -> None:
    (finished.run / name).write_text(damage)
    assert finished.restore() is None


def test_other_weights_than_recorded_are_not_kept(
    finished: FinishedRun, caplog: pytest.LogCaptureFixture
) -> None:
    (finished.run / CHECKPOINT).unlink()
    (finished.run / CHECKPOINT).write_text("another")
    assert finished.restore() is None
    assert "is not what was trained" in caplog.text
    assert (finished.kept.parent / "damaged-1" / CHECKPOINT).read_text() == "another"


def test_a_file_system_without_links_copies(
    tmp_path: Path, finished: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("tips.training.finished.os.link", refuse)
    finished.keep()
    as_snakemake_does(finished.run)
    assert finished.restore() is not None
