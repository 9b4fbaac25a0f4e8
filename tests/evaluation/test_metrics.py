"""What is kept of a measured run is what was measured; a damaged file is one line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tips import skeleton
from tips.evaluation.average_precision import Subset, average_precision, subset, total
from tips.evaluation.matching import Evidence, match
from tips.evaluation.measure import Measured
from tips.evaluation.metrics import read_scored, write_evidence
from tips.evaluation.oks import part_oks
from tips.evaluation.people import from_records, truth_alone
from tips.evaluation.synthesis import InBetween
from tips.provenance import file_digest
from tips.records import RecordError, read_json, write_json

COLUMNS = dict.fromkeys(skeleton.COLUMNS, 12.5)
METRICS = {"metric": "AP", "total": None, "columns": COLUMNS, "code": {}}
METRICS |= {"variant": "tips", "seed": 0, "boxes": "gt"}
TIMES = (0.25, 0.5)


@pytest.fixture
def measured(scenes) -> Measured:
    annotations, predictions = scenes.random_records(np.random.default_rng(5))
    generator = np.random.default_rng(3)
    between = {
        time: InBetween(*(generator.integers(80, size=size) / 8 for size in (5, (5, 3), (5, 3))))
        for time in TIMES
    }
    clips = from_records(annotations, predictions)
    return Measured(match(clips), {}, between, part_oks(clips, "best"))


@pytest.fixture
def files(tmp_path: Path, measured: Measured) -> tuple[Path, Path]:
    metrics, evidence = tmp_path / "metrics.json", tmp_path / "evidence.npz"
    write_evidence(measured, evidence)
    bind(metrics, evidence, total_of(measured))
    return metrics, evidence


def bind(metrics: Path, evidence: Path, total: float | None = None) -> None:
    """Says in the metrics that they were computed from this evidence."""
    write_json(METRICS | {"evidence": file_digest(evidence), "total": total}, metrics)


def total_of(measured: Measured) -> float:
    return float(total(average_precision(measured.evidence).ap))


def test_what_is_read_back_is_what_was_measured(
    measured: Measured, files: tuple[Path, Path]
) -> None:
    found = read_scored(*files)
    for name in Evidence._fields:
        np.testing.assert_array_equal(
            getattr(found.evidence, name), getattr(measured.evidence, name)
        )
    assert isinstance(found.evidence.names, tuple)
    assert found.evidence.rule == measured.evidence.rule
    assert tuple(found.between) == TIMES
    for time in TIMES:
        for own, other in zip(found.between[time], measured.between[time], strict=True):
            np.testing.assert_array_equal(own, other)
    for own, other in zip(found.oks, measured.oks.sums, strict=True):
        np.testing.assert_array_equal(own, other)
    assert (found.metrics.total, found.metrics.columns) == (total_of(measured), COLUMNS)


def test_a_run_without_oks_is_read_back_without(measured: Measured, tmp_path: Path) -> None:
    metrics, evidence = tmp_path / "metrics.json", tmp_path / "evidence.npz"
    write_evidence(measured._replace(oks=None), evidence)
    bind(metrics, evidence, total_of(measured))
    assert read_scored(metrics, evidence).oks is None


NO_PERCENT = ("NaN", "1e400", "1" * 400, "99.99e9", "true", '"80"', "-1", "100.1", "[]")


@pytest.mark.parametrize("number", NO_PERCENT)
@pytest.mark.parametrize("key", ["total", "columns"])
def test_only_percent_are_scores(files: tuple[Path, Path], key: str, number: str) -> None:
    metrics = read_json(files[0])
    text = json.dumps(metrics | {key: "here" if key == "total" else COLUMNS | {"Wrist": "here"}})
    files[0].write_text(text.replace('"here"', number))
    with pytest.raises(RecordError, match=rf"metrics\.json: {key}.*; delete the file") as caught:
        read_scored(*files)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [99.99, 0.0, None])
def test_a_total_that_the_evidence_does_not_give_is_refused(
    files: tuple[Path, Path], number: float | None
) -> None:
    write_json(read_json(files[0]) | {"total": number}, files[0])
    with pytest.raises(RecordError, match=rf"metrics\.json: total {number}, where evidence\.npz"):
        read_scored(*files)


def test_evidence_that_is_a_pipe_or_a_folder_is_not_waited_for(files: tuple[Path, Path]) -> None:
    files[1].unlink()
    os.mkfifo(files[1])
    with pytest.raises(RecordError, match=r"evidence\.npz: is no regular file"):
        read_scored(*files)
    files[1].unlink()
    files[1].mkdir()
    with pytest.raises(RecordError, match=r"evidence\.npz: is a folder"):
        read_scored(*files)


def test_equal_runs_give_equal_bytes(
    measured: Measured, files: tuple[Path, Path], tmp_path: Path
) -> None:
    write_evidence(measured, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("damage", ["short", "empty", "text", "pickle", "other", "gone"])
def test_a_damaged_file_is_one_line_that_names_it(files: tuple[Path, Path], damage: str) -> None:
    metrics, evidence = files
    whole = evidence.read_bytes()
    if damage == "gone":
        evidence.unlink()
    elif damage == "pickle":
        with evidence.open("wb") as stream:
            np.savez(stream, joint=np.array([object()], dtype=object))
    elif damage == "other":
        with evidence.open("wb") as stream:
            np.savez(stream, joint=np.arange(3))
    else:
        content = {"short": whole[: len(whole) // 2], "empty": b"", "text": b"no archive"}
        evidence.write_bytes(content[damage])
    if evidence.exists():
        bind(metrics, evidence)
    with pytest.raises(RecordError, match=r"evidence\.npz: (damaged|no such file)") as caught:
        read_scored(metrics, evidence)
    assert "\n" not in str(caught.value)


def test_evidence_of_another_run_is_refused(
    measured: Measured, files: tuple[Path, Path], tmp_path: Path
) -> None:
    write_evidence(measured._replace(between={}), tmp_path / "evidence.npz")
    with pytest.raises(RecordError, match=r"evidence\.npz: not what metrics\.json was"):
        read_scored(*files)


@pytest.mark.parametrize("lost", skeleton.COLUMNS)
def test_metrics_without_a_column_are_refused(files: tuple[Path, Path], lost: str) -> None:
    metrics = read_json(files[0])
    del metrics["columns"][lost]
    write_json(metrics, files[0])
    with pytest.raises(RecordError, match=f"no column '{lost}'"):
        read_scored(*files)


def test_metrics_that_are_none_are_refused(files: tuple[Path, Path]) -> None:
    files[0].write_text('{"metric": "AP"}')
    with pytest.raises(RecordError, match=r"metrics\.json"):
        read_scored(*files)


def test_a_part_of_the_people_is_cut_out_of_what_was_kept(scenes, files: tuple[Path, Path]) -> None:
    annotations, _ = scenes.random_records(np.random.default_rng(5))
    clips = truth_alone(annotations)
    first = Subset(
        tuple(
            tuple(np.arange(len(f.joints))[:, None].repeat(15, axis=1) == 0 for f in one.truth)
            for one in clips
        ),
        None,
    )
    evidence = read_scored(*files).evidence
    part = subset(evidence, first)
    assert 0 < part.n_truth.sum() < evidence.n_truth.sum()
    assert set(part.truth[:, 2]) == {0}
    assert set(part.person) == {0}
    np.testing.assert_array_equal(match(clips).n_truth, evidence.n_truth)
