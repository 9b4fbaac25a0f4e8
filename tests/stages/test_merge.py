"""Runs from elsewhere enter a study if they are what it would make: all of them or none."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_study import SCALE, inside

from tips import entering, locks, merging
from tips.config import ConfigError
from tips.made import Job, Made
from tips.provenance import file_digest
from tips.records import RecordError, read, write, write_json
from tips.stages import archive, merge
from tips.training.finished import LINKS, MARK

RESULTS = f"results/{SCALE}-embedded"
GONE = ("tips/seed-1", "tips/seed-2", "dcpose/seed-0", "single-frame-scratch/seed-0")


def edit(file: Path, **changes: Any) -> None:
    """Changes keys of a record; a value may be a function of the one before."""
    record = json.loads(file.read_text())
    for key, value in changes.items():
        record[key] = value(record[key]) if callable(value) else value
    file.write_text(json.dumps(record))


def run(project: Path, name: str) -> Path:
    return project / RESULTS / "runs/embedded" / name


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study as trainings leave it, whose records know their weights."""
    folder = tmp_path_factory.mktemp("trained")
    with inside(folder, measured=True):
        for file in Path().glob(f"{RESULTS}/runs/embedded/*/*/provenance.json"):
            edit(file, checkpoint_sha256=file_digest(file.with_name("checkpoint.pt")))
            write_json({"key": "0"}, file.parent / MARK)
    return folder


@pytest.fixture
def there(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "there"))


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder: the same study, in which some runs are missing."""
    folder = Path(shutil.copytree(trained, tmp_path / "here"))
    for name in GONE:
        shutil.rmtree(run(folder, name))
    (run(folder, GONE[2])).mkdir()
    (run(folder, GONE[2]) / "failed.json").write_text('{"reason": "diverged"}')
    (run(folder, GONE[2]) / "train.jsonl").write_text('{"step": 1}\n')  # of a training that broke
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = [one for one in folder.rglob("*") if one.is_file() and ".snakemake" not in one.parts]
    return {one.relative_to(folder).as_posix(): file_digest(one) for one in sorted(files)}


def refused(here: Path, place: Path) -> str:
    before = contents(here)
    with pytest.raises((ConfigError, RecordError)) as caught:
        merge.run(place, SCALE)
    assert contents(here) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_missing_here_enters(here: Path, there: Path, capsys: Any) -> None:
    before = contents(here)
    merge.run(there, SCALE, dry_run=True)
    assert contents(here) == before
    assert "4 runs would enter" in capsys.readouterr().out
    merge.run(there, SCALE)
    assert "4 runs entered" in capsys.readouterr().out
    for name in GONE:
        expected = contents(run(there, name))
        assert "checkpoint.pt" in expected
        assert contents(run(here, name)) == expected
    kept = {name: digest for name, digest in contents(here).items() if name in before}
    gone = {f"{RESULTS}/runs/embedded/{GONE[2]}/failed.json"}
    replaced = {f"{RESULTS}/made.json", f"{RESULTS}/runs/embedded/{GONE[2]}/train.jsonl"}
    assert before.keys() - kept.keys() == gone
    assert all(before[name] == kept[name] for name in kept.keys() - replaced)
    times = {one.stat().st_mtime // 60 for name in GONE for one in run(here, name).iterdir()}
    assert len(times) <= 2
    links = here / RESULTS / "state/tips/seed-1" / LINKS / "checkpoint.pt"
    assert links.samefile(run(here, "tips/seed-1") / "checkpoint.pt")
    merge.run(there, SCALE)
    assert "0 runs entered" in capsys.readouterr().out


def other_joint(there: Path) -> None:
    file = run(there, "tips/seed-1") / "predictions.json"
    found = json.loads(file.read_text())
    found["sequences"][3]["frames"][0]["poses"][1]["joints"][7][0] += 0.5
    file.write_text(json.dumps(found))


def record(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda there: edit(run(there, name), **changes)


def weights(name: str) -> Callable[[Path], Any]:
    return lambda there: (run(there, name) / "checkpoint.pt").write_text("others")


def other_backbone(there: Path) -> None:
    """The whole study there was trained on another backbone, and every record says so."""
    file = run(there, "hrnet/seed-0") / "checkpoint.pt"
    file.write_text("another backbone")
    edit(file.with_name("provenance.json"), checkpoint_sha256=file_digest(file))


RECORD = "tips/seed-1/provenance.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (record(RECORD, meaning=lambda m: m | {"width": 999}), "tips/seed-1: training: width: 999"),
        (
            record(RECORD, code=lambda c: c | {"training/loop.py": "0" * 16}),
            "tips/seed-1: training: code training/loop.py: 0000000000000000 there",
        ),
        (
            record(RECORD, input_digests=lambda d: d | {"data": "1" * 64}),
            "tips/seed-1: training: data: 111111111111 there",
        ),
        (
            record(RECORD, input_digests=lambda d: d | {"backbone": "2" * 64}),
            "tips/seed-1: training: backbone: 222222222222 there",
        ),
        (record(RECORD, seed=0), "tips/seed-1: seed: 0 there, 1 here"),
        (record(RECORD, variant="dcpose"), "tips/seed-1: variant: dcpose there, tips here"),
        (record(RECORD, interpolator={"sha256": "3" * 64}), "interpolator.sha256: 333333333333"),
        (weights("tips/seed-1"), "tips/seed-1: checkpoint_sha256"),
        (weights("tips/seed-0"), "tips/seed-0: checkpoint_sha256"),
        (other_backbone, "hrnet/seed-0: checkpoint.pt (the run is here already, and it differs)"),
        (other_joint, "tips/seed-1: metrics: predictions"),
        (record("tips/seed-1/metrics.json", seed=2), "tips/seed-1: metrics.seed: 2 there, 1 here"),
        (
            record("tips/seed-1/predicted.json", code=lambda c: c | {"ops/crop.py": "4" * 16}),
            "tips/seed-1: predictions: code ops/crop.py: 4444444444444444 there",
        ),
        (lambda there: (run(there, "dcpose/seed-0") / "checkpoint.pt").unlink(), "no weights"),
        (lambda there: (run(there, "dcpose/seed-0") / "train.jsonl").unlink(), "train.jsonl is"),
        (lambda there: run(there, RECORD).write_text("[]"), "must hold an object"),
        (lambda there: (there / RESULTS / "made.json").write_text("[]"), "made.json"),
    ],
)
def test_a_run_that_is_not_what_is_made_here_is_named_and_none_enters(
    here: Path, there: Path, change: Callable[[Path], None], words: str
) -> None:
    change(there)
    assert words in refused(here, there)


def test_a_change_here_is_a_mismatch_too(here: Path, there: Path) -> None:
    file = here / RESULTS / "data/embedded/manifest.json"
    edit(file, more="x")
    assert "training: data" in refused(here, there)
    file.unlink()
    assert f"no file {RESULTS}/data/embedded/manifest.json here" in refused(here, there)


def test_a_whole_new_chain_enters_with_its_backbone(here: Path, there: Path) -> None:
    """Nothing was trained here yet: the backbone that counts is the one that enters."""
    shutil.rmtree(here / RESULTS / "runs")
    merge.run(there, SCALE)
    assert (
        contents(here / RESULTS / "runs").items()
        >= {
            f"embedded/{name}/checkpoint.pt": file_digest(run(there, name) / "checkpoint.pt")
            for name in (*GONE, "hrnet/seed-0")
        }.items()
    )


def test_runs_on_a_backbone_that_does_not_enter_are_refused(here: Path, there: Path) -> None:
    shutil.rmtree(here / RESULTS / "runs")
    shutil.rmtree(run(there, "hrnet/seed-0"))
    assert "training: backbone" in refused(here, there)


def test_another_study_is_refused(here: Path, there: Path, tmp_path: Path) -> None:
    results = there / RESULTS
    for file in results.glob("runs/*/*/*/provenance.json"):
        edit(file, scale="smoke")
    assert "scale 'smoke'" in refused(here, results)
    (tmp_path / "empty/results").mkdir(parents=True)
    shutil.copytree(there / "experiments", tmp_path / "empty/experiments")
    assert "holds no run" in refused(here, tmp_path / "empty")


@pytest.mark.parametrize("moves", [10, 30])
def test_a_failure_half_way_leaves_nothing(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    before, real = contents(here), os.replace
    left = [moves]

    def fails(source: Any, target: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="No space"):
        merge.run(there, SCALE)
    monkeypatch.undo()
    os.chdir(here)
    assert contents(here) == before
    assert not (here / RESULTS / entering.STAGING).exists()


KILLED = """
import os, pkgutil, signal, sys
from pathlib import Path
from tips.stages import merge
place, name, left = pkgutil.resolve_name(sys.argv[1]), sys.argv[2], int(sys.argv[3])
real = getattr(place, name)
def kills(*args, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **options)
setattr(place, name, kills)
merge.run(Path(sys.argv[4]), sys.argv[5])
"""


def kill(there: Path, place: str, name: str, count: int) -> None:
    """Merges, and kills the process when it has called a function this number of times."""
    words = [sys.executable, "-c", KILLED, place, name, str(count), str(there), SCALE]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, capture_output=True, env=environment, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize(
    ("place", "name", "count"),
    [
        *(("os", "replace", count) for count in (1, 20)),
        ("shutil", "copyfile", 8),
        ("tips.entering:FinishedRun", "keep", 2),
        ("tips.made", "adopt", 0),
    ],
)
def test_the_next_merge_goes_on_after_a_kill(
    here: Path, there: Path, place: str, name: str, count: int, capsys: Any
) -> None:
    write(Made(jobs=()), there / RESULTS / "made.json")
    kill(there, place, name, count)
    before = contents(here)
    merge.run(there, SCALE, dry_run=True)
    assert contents(here) == before
    merge.run(there, SCALE)
    merge.run(there, SCALE)
    assert "0 runs entered, 23 are here already" in capsys.readouterr().out
    for run_name in GONE:
        assert contents(run(here, run_name)) == contents(run(there, run_name))
        links = here / RESULTS / "state" / run_name / LINKS / "checkpoint.pt"
        assert links.samefile(run(here, run_name) / "checkpoint.pt")
    assert not (here / RESULTS / entering.STAGING).exists()
    assert (here / RESULTS / "made.json").is_file()


def test_what_was_trained_here_after_a_kill_stays(here: Path, there: Path) -> None:
    kill(there, "os", "replace", 1)
    for name, words in ((GONE[0], "trained here"), (GONE[2], "here, too")):
        run(here, name).mkdir(parents=True, exist_ok=True)
        (run(here, name) / "checkpoint.pt").write_text(words)
    with pytest.raises(ConfigError, match="it differs"):
        merge.run(there, SCALE)
    assert (run(here, GONE[0]) / "checkpoint.pt").read_text() == "trained here"
    assert not (run(here, GONE[2]) / "predictions.json").exists()
    assert contents(run(here, GONE[1])) == contents(run(there, GONE[1]))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_takes_everything_back(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    before, real, left = contents(here), os.replace, [12]

    def stops(source: Any, target: Any) -> None:
        left[0] -= 1
        real(source, target)
        if left[0] == 0:
            raise error

    monkeypatch.setattr(os, "replace", stops)
    with pytest.raises(error):
        merge.run(there, SCALE)
    assert contents(here) == before


def test_it_waits_for_no_workflow(here: Path, there: Path) -> None:
    with locks.alone(locks.WORKFLOW, "works"), pytest.raises(locks.LockError):
        merge.run(there, SCALE)
    with locks.alone(locks.WORKFLOW, "works"), pytest.raises(locks.LockError):
        archive.run(Path("a.zip"), SCALE)


def test_records_of_the_workflow_come_along(here: Path, there: Path) -> None:
    def job(*outputs: str, rule: str = "train") -> Job:
        return Job(
            outputs=tuple(f"{RESULTS}/runs/embedded/{one}" for one in outputs),
            rule=rule,
            code=None,
            params=(),
            input=(),
            input_checksums={},
            record_format_version=6,
            seconds=1,
        )

    entering, present = f"{GONE[0]}/checkpoint.pt", "tips/seed-0/checkpoint.pt"
    write(Made(jobs=(job(entering, present, rule="new"),)), there / RESULTS / "made.json")
    mine = Made(
        jobs=(job(entering, present, rule="old"),),
        begun=(f"{RESULTS}/runs/embedded/{entering}", "another"),
    )
    write(mine, here / RESULTS / "made.json")
    merge.run(there, SCALE)
    found = read(Made, here / RESULTS / "made.json")
    assert found.jobs == (job(present, rule="old"), job(entering, rule="new"))
    assert found.begun == ("another",)


def test_an_archive_needs_weights(here: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(there)
    archive.run(Path("bare.zip"), SCALE)
    archive.run(Path("full.zip"), SCALE, weights=True)
    monkeypatch.chdir(here)
    assert "--weights" in refused(here, there / "bare.zip")
    merge.run(there / "full.zip", SCALE)
    for name in GONE:
        assert contents(run(here, name)) == contents(run(there, name))


def test_a_link_there_is_refused(here: Path, there: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    file = run(there, "tips/seed-1") / "dirty.diff"
    file.symlink_to(tmp_path / "secret")
    assert "is a link" in refused(here, there)


def test_the_digest_of_no_file_is_no_digest() -> None:
    assert merging._shown(hashlib.sha256(b"").hexdigest()) == "e3b0c44298fc"
    assert merging._shown("no file") == "no file"
    assert np.all([merging._shown(value) == str(value) for value in (1, None, "x" * 64)])
