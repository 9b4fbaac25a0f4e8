"""What becomes of a training that its rule asks for again."""

import logging
import shutil
from pathlib import Path

import pytest
import tiny_study
import yaml

from tips import provenance
from tips.opened import open_study
from tips.records import read_json
from tips.stages import train


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny study, packed, as the working folder."""
    return tiny_study.pack_in(tmp_path, monkeypatch)


def test_a_finished_run_is_kept_until_its_folder_is_deleted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def trained(trigger: str) -> tuple[bytes, bool, str]:
        caplog.clear()
        train.run("hrnet", 0, "tiny", "people", "cpu", trigger=trigger)
        run = open_study("tiny", "people").paths.run("hrnet", "0")
        noted = read_json(run / "provenance.json")["trigger"]
        return (run / "checkpoint.pt").read_bytes(), "already trained: " in caplog.text, noted

    run = open_study("tiny", "people").paths.run("hrnet", "0")
    weights, kept, _ = trained("a")
    assert not kept
    for name in ("checkpoint.pt", "train.jsonl", "provenance.json"):
        (run / name).unlink()  # as Snakemake does with what it saw no end of
    assert trained("b") == (weights, True, "b")
    assert trained("b") == (weights, True, "b")
    shutil.rmtree(run)
    assert trained("b") == (weights, False, "b")
    file = folder / "experiments/scales/tiny.yaml"
    scale = yaml.safe_load(file.read_text())
    scale["models"]["single_frame"]["augmentation"] = {"rotation": 1.0}
    file.write_text(yaml.safe_dump(scale))
    assert not trained("b")[1]


def test_the_checkout_is_looked_at_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_study("tiny", "people").paths.run("hrnet", "0")

    def looked() -> provenance.Checkout:
        assert not run.exists()
        return provenance.Checkout("a" * 40, None, "a z\\xe9\n", "git refuses")

    monkeypatch.setattr(provenance, "checkout", looked)
    train.run("hrnet", 0, "tiny", "people", "cpu")
    record = read_json(run / "provenance.json")
    found = [record[name] for name in ("commit", "dirty", "dirty_reason")]
    assert found == ["a" * 40, None, "git refuses"]
    assert (run / "dirty.diff").read_text() == "a z\\xe9\n"
