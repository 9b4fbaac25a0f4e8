import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tips.config import Evaluation, Study
from tips.records import RecordError
from tips.stages import reproduce

REPORT = "reports/test-toy/index.html"
METRICS = "results/test-toy/runs/toy/mean-pose/seed-0/metrics.json"
# The last rule is never current.
ANY = f"""
import time
rule all:
    input: WANTED
rule b:
    output: "b.txt"
    shell: "touch {{output}}"
rule report:
    output: "{REPORT}"
    shell: "touch {{output}}"
rule metrics:
    output: "{METRICS}"
    shell: "touch {{output}}"
rule new:
    output: "new.txt"
    params: time.time_ns()
    shell: "touch {{output}}"
"""
SNAKEFILE = (
    f"""
rule all:
    input: "b.txt", "{REPORT}", "{METRICS}"
rule made:
    output: "{REPORT}", "{METRICS}"
    shell: "touch {{output}}"
"""
    + """
rule a:
    output: "a.txt"
    shell: "sleep $(cat seconds); echo a > {output}"
rule b:
    input: "a.txt"
    output: "b.txt"
    shell: "echo {config[scale]} > {output}"
"""
)


@pytest.fixture
def folder(tmp_path: Path, make_study: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    study, _ = make_study()
    scored = Evaluation.model_construct(boxes="gt", other_rows=())
    study = Study(study.scale.model_copy(update={"evaluation": scored}), {})
    monkeypatch.setattr(reproduce, "load_study", lambda *_: study)
    monkeypatch.setattr(reproduce, "PAUSE", 0.05)
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    profile = tmp_path / "profiles/default"
    profile.mkdir(parents=True)
    (profile / "config.yaml").write_text("cores: 1\n")
    (tmp_path / "seconds").write_text("0")
    return tmp_path


@pytest.fixture
def sleeper() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts processes whose command lines look like others'."""
    started = []

    def start(seconds: float, *words: str) -> subprocess.Popen:
        code = f"import time; time.sleep({seconds})"
        started.append(subprocess.Popen([sys.executable, "-c", code, *words]))
        time.sleep(0.3)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("peers", [True, False])
def test_peers_come_only_where_they_are_asked_for(
    peers: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(reproduce, "_snakemake", lambda words: asked.append(words) or 0)
    monkeypatch.setattr(reproduce, "_undone", lambda *_: "")
    reproduce.run("smoke", peers=peers)
    assert ("peers=all" in asked[-1]) == peers


@pytest.mark.slow
def test_killed_snakemake_is_recovered_from(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "seconds").write_text("30")
    words = [sys.executable, "-m", "snakemake", "--config", "scale=test"]
    killed = subprocess.Popen(words, cwd=folder, stderr=subprocess.DEVNULL)
    for _ in range(200):
        if (folder / ".snakemake/incomplete").is_dir() and any(
            (folder / ".snakemake/incomplete").iterdir()
        ):
            break
        time.sleep(0.1)
    with pytest.raises(RecordError, match=rf"process {killed.pid}\) works in this folder already"):
        reproduce.run("test")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (folder / "seconds").write_text("0")
    reproduce.run("test")
    assert (folder / "b.txt").read_text() == "test\n"
    assert "taking off the lock" in caplog.text
    assert "The report: reports/test-toy/index.html" in capfd.readouterr().out


@pytest.mark.slow
def test_failure_keeps_its_code(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "seconds").write_text("no number")
    with pytest.raises(SystemExit) as stop:
        reproduce.run("test")
    assert stop.value.code == 1
    assert "run the same command to go on" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("'b.txt'", f"error: {REPORT} is missing (2 in all), though snakemake reported success"),
        (f"'{REPORT}'", f"error: {METRICS} is missing, though snakemake reported success"),
        (f"'{REPORT}', '{METRICS}', 'new.txt'", "error: new.txt is not current; run the same"),
    ],
)
def test_snakemake_s_word_alone_is_no_success(
    folder: Path, capfd: pytest.CaptureFixture[str], wanted: str, says: str
) -> None:
    (folder / "Snakefile").write_text(ANY.replace("WANTED", wanted))
    with pytest.raises(SystemExit) as stop:
        reproduce.run("test")
    assert stop.value.code == 1
    shown = capfd.readouterr()
    assert [line.startswith(says) for line in shown.err.splitlines()].count(True) == 1, shown.err
    assert "The report" not in shown.out


def test_orphan_is_waited_for(
    folder: Path, sleeper: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    orphan = sleeper(1.0, "-m", "tips", "stage", "train", "--variant", "full")
    reproduce.recover([])
    assert orphan.poll() is not None
    assert f"waiting for process {orphan.pid}" in caplog.text


def test_others_are_nobodys_orphans(
    folder: Path, sleeper: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper(20, "-m", "tips", "stage", "ui")
    sleeper(20, "-m", "tipsy", "stage", "train")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    sleeper(20, "-m", "tips", "stage", "train")
    monkeypatch.chdir(folder)
    begin = time.monotonic()
    reproduce.recover([])
    assert time.monotonic() - begin < 5


def test_snakemake_is_installed() -> None:
    assert shutil.which("snakemake", path=str(Path(sys.executable).parent))
