"""Bad input through the command line: one line with the remedy, code 2, nothing half-written."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_study

from tips.stages import evaluate, predict, train

REPOSITORY = Path(__file__).parents[2]
DATA = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}/data/{tiny_study.ROOT}")
RUNS = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}/runs/{tiny_study.ROOT}")
FIRST = "000000_bonn_train"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study with a backbone that is trained, predicted and scored."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_study.write(folder)
    with tiny_study.prepared(folder):
        train.run("hrnet", scale="tiny", root="people")
        predict.run("hrnet", scale="tiny", root="people")
        evaluate.run("hrnet", 0, scale="tiny", root="people")
    return folder


@pytest.fixture
def study(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, as the working folder."""
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)
    return tmp_path


def stage(name: str, *words: str) -> int:
    """Runs one stage as the command line does; returns its exit code."""
    return tiny_study.command("stage", name, *tiny_study.STUDY, *words)


def refused(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> str:
    """The one line that a stage ends with."""
    capsys.readouterr()
    assert stage(name, *words) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    return line.removeprefix("error: ")


def half_written(folder: Path) -> list[Path]:
    """Temporary files; every writer hides them behind a dot."""
    return [path for path in (folder / "results").rglob(".*") if path.is_file()]


def cut(path: Path, kept: int) -> bytes:
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    return whole


def test_a_missing_dataset(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "prepare", "--root", "nowhere")
    assert line.startswith("nowhere/annotations: no such folder; the dataset needs PoseTrack18's")
    line = refused(capsys, "train", "--variant", "hrnet", "--root", "nowhere")
    assert (
        line
        == "results/tiny-nowhere/data/nowhere/manifest.json: no such file; run the rule "
        + ("that makes it")
    )


def test_a_malformed_record(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("people/annotations/train") / f"{FIRST}.json"
    before = {file: file.read_bytes() for file in DATA.glob("*.json")}
    raw = json.loads(path.read_text())
    raw["annotations"][3]["keypoints"] = [1, 2, 3]
    path.write_text(json.dumps(raw))
    line = refused(capsys, "prepare")
    assert line == f"{path}: annotations.3: keypoints: 51 numbers expected; got 3"
    assert {file: file.read_bytes() for file in DATA.glob("*.json")} == before
    cut(path, 100)
    assert refused(capsys, "prepare").startswith(f"{path}: the file: Invalid JSON")


@pytest.mark.parametrize("kept", [None, 300])
def test_an_image_that_cannot_be_read(
    study: Path, capsys: pytest.CaptureFixture[str], kept: int | None
) -> None:
    image = Path("people/images/val/000001_bonn_val/000004.jpg")
    whole = image.read_bytes()
    shutil.rmtree(DATA / "packed")
    if kept is None:
        image.unlink()
        line = f"{image}: no such file; complete the dataset folder"
        assert refused(capsys, "prepare") == line
    else:
        cut(image, kept)
        line = f"{image}: not a readable image; put a whole one there"
        assert refused(capsys, "pack") == line
        assert not (DATA / "packed/packed.json").exists()
    assert half_written(study) == []
    image.write_bytes(whole)
    assert stage("prepare") == stage("pack") == 0


def test_a_truncated_checkpoint(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = RUNS / "hrnet/seed-0/checkpoint.pt"
    cut(path, 20_000)
    remedy = "put a whole copy there, or move it away and run again"
    line = f"{path}: not a complete checkpoint; {remedy}"
    assert refused(capsys, "predict", "--variant", "hrnet") == line
    assert refused(capsys, "train", "--variant", "tips") == line
    path.unlink()
    line = f"{path}: no such file; run the rule that makes it"
    assert refused(capsys, "predict", "--variant", "hrnet") == line
    assert refused(capsys, "train", "--variant", "tips") == line
    assert half_written(study) == []


def test_truncated_predictions(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = RUNS / "hrnet/seed-0/predictions.json"
    metrics = path.with_name("metrics.json")
    before = metrics.read_bytes()
    whole = cut(path, 1000)
    line = refused(capsys, "evaluate", "--variant", "hrnet", "--seed", "0")
    assert line.startswith(f"{path}: the file: Invalid JSON: EOF while parsing")
    assert line.endswith("; delete the file and run again")
    assert metrics.read_bytes() == before
    path.write_bytes(whole)
    assert stage("evaluate", "--variant", "hrnet", "--seed", "0") == 0
    assert metrics.read_bytes() == before


def test_a_truncated_frame_store(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = DATA / "packed/val/000000_bonn_val.npy"
    cut(path, 5000)
    line = f"{path}: truncated or not an array; delete it and rerun"
    assert refused(capsys, "predict", "--variant", "hrnet") == line
    path.unlink()
    line = f"{path}: no such file; run the rule that packs the frames"
    assert refused(capsys, "predict", "--variant", "hrnet") == line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "--variant", "tisp"), "unknown variant 'tisp'; did you mean 'tips'?"),
        (("predict", "--variant", "hrnet", "--device", "gpu"), "device must be auto, cpu or cuda"),
        (("interpolate", "--generator", "true"), "people/between/train: no such folder; interim"),
        (("group", "--count", "99"), "count must lie in 1..15"),
        (("show", "--split", "test"), "split must be train or val; got 'test'"),
        (("show", "--count", "0"), "--count must be at least 1; got 0"),
        (("show", "--seed", "-1"), "--seed must be 0 or more; got -1"),
        (("train", "--variant", "hrnet", "--seed", "-1"), "--seed must be 0 or more; got -1"),
        (
            ("predict", "--variant", "hrnet", "--threads", "-1"),
            "--threads must be 0 (one per core)",
        ),
        (("kernels", "--cuda", "ja"), "--cuda must be auto, yes, no; got 'ja'"),
        (
            ("group", "--count", "5", "--scale", "paper-jhmdb-1"),
            "scale 'paper-jhmdb-1' has other joints than PoseTrack's, which alone are grouped",
        ),
        (
            ("export", "--variant", "tips", "--seed", "0", "--scale", "paper-jhmdb-1"),
            "scale 'paper-jhmdb-1' has other joints than PoseTrack's files hold",
        ),
    ],
)
def test_words_that_mean_nothing(
    study: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert refused(capsys, *words).startswith(says)


def test_a_full_disk(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit on the size of files stands for it: every write behind it fails."""
    state = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}/state/hrnet/seed-0")
    shutil.rmtree(RUNS / "hrnet")
    words = ("stage", "train", "--variant", "hrnet", *tiny_study.STUDY)
    shown = subprocess.run(
        [sys.executable, "-m", "tips", *words],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 2
    line = f"error: disk full ({state}/state.pt): free some space and run the same command again"
    assert line in shown.stderr.splitlines()
    assert "Traceback" not in shown.stderr
    assert half_written(study) == []
    assert not (RUNS / "hrnet").exists()
    assert stage("train", "--variant", "hrnet") == 0
    assert (RUNS / "hrnet/seed-0/checkpoint.pt").is_file()


def test_show_prints_what_it_drew(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert stage("show", "--count", "2", "--split", "train", "--out", "drawn") == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["drawn/windows-0.png", "drawn/windows-1.png"]
    assert all(Path(name).stat().st_size > 5000 for name in names)
