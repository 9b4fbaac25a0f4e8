import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tips.locks import LockError, alone
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
from tips.locks import WORKFLOW, alone_until_the_end
onstart:
    alone_until_the_end(WORKFLOW, "works in this folder")
rule all:
    input: "b.txt", "{REPORT}", "{METRICS}"
rule made:
    output: "{REPORT}", "{METRICS}"
    shell: "touch {{output}}"
"""
    + """
rule a:
    output: "a.txt"
    shell: "touch started; sleep $(cat seconds); echo a > {output}"
rule b:
    input: "a.txt"
    output: "b.txt"
    shell: "echo {config[scale]} > {output}"
"""
)


@pytest.fixture
def folder(tmp_path: Path, nothing_scored: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reproduce, "PAUSE", 0.05)
    return write(tmp_path, "0")


def write(folder: Path, seconds: str) -> Path:
    """Writes a workflow whose first job takes some seconds."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    profile = folder / "profiles/default"
    profile.mkdir(parents=True)
    (profile / "config.yaml").write_text("cores: 1\n")
    (folder / "seconds").write_text(seconds)
    return folder


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def processes(folder: Path) -> list[list[str]]:
    """Command lines of the live processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


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
    monkeypatch.setattr(reproduce, "_child", lambda words, *_: asked.append(words) or 0)
    monkeypatch.setattr(reproduce, "_undone", lambda *_: "")
    reproduce.run("smoke", peers=peers)
    assert ("peers=all" in asked[-1]) == peers


@pytest.mark.slow
@pytest.mark.parametrize("before", [(), ("unshare", "--pid", "--fork", "--kill-child")])
def test_a_live_snakemake_is_left_alone_and_a_killed_one_recovered_from(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    before: tuple[str, ...],
) -> None:
    if before and subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("no right to make a PID namespace")
    (folder / "seconds").write_text("30")
    words = [*before, sys.executable, "-m", "snakemake", "--config", "scale=test"]
    killed = subprocess.Popen(words, cwd=folder, stderr=subprocess.DEVNULL)
    until((folder / "started").exists)
    there = contents(folder / ".snakemake/locks")
    number = "1" if before else str(killed.pid)
    with pytest.raises(LockError, match=rf"process {number} on host .* works in this folder al"):
        reproduce.run("test")
    assert contents(folder / ".snakemake/locks") == there != {}
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    until(lambda: free(reproduce.WORKFLOW))
    (folder / "seconds").write_text("0")
    half = folder / f"reports/test-toy/.index.{killed.pid}.html"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_text("half")
    reproduce.run("test")
    assert (folder / "b.txt").read_text() == "test\n"
    assert "taking off the lock" in caplog.text
    assert not half.exists()
    assert "The report: reports/test-toy/index.html" in capfd.readouterr().out


def free(lock: Path) -> bool:
    try:
        with alone(lock, "works in this folder"):
            return True
    except LockError:
        return False


def command_line(
    folder: Path, interrupts: signal.Handlers = signal.SIG_DFL
) -> subprocess.Popen[str]:
    """Starts `tips stage reproduce` in a folder and waits until its first job runs.

    It heeds signals whatever the test was told: `nohup` and a shell's background ignore some.
    """

    def heed() -> None:
        signal.signal(signal.SIGINT, interrupts)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    if not (folder / "experiments").exists():
        (folder / "experiments").symlink_to(Path(__file__).parents[2] / "experiments")
    words = [sys.executable, "-m", "tips", "stage", "reproduce", "--scale", "smoke"]
    started = subprocess.Popen(
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed,
    )
    until((folder / "started").exists)
    return started


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "ignored"),
    [
        (signal.SIGINT, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_IGN),  # as a shell starts what runs in its background
    ],
)
def test_a_signal_ends_all_soon_and_the_next_call_goes_on(
    tmp_path: Path, number: signal.Signals, ignored: signal.Handlers
) -> None:
    write(tmp_path, "600")
    stopped = command_line(tmp_path, ignored)
    began = time.monotonic()
    stopped.send_signal(number)
    said, _ = stopped.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert stopped.returncode == 128 + number
    assert ("stopped; what is complete is kept" in said) == (number != signal.SIGHUP)
    assert "Error" not in said
    assert "Traceback" not in said
    assert processes(tmp_path) == []
    assert not (tmp_path / "a.txt").exists()
    if number == signal.SIGINT:
        (tmp_path / "seconds").write_text("0")
        again, _ = command_line(tmp_path).communicate(timeout=120)
        assert (tmp_path / "b.txt").read_text() == "smoke\n", again


def apart_from_logs(folder: Path) -> dict[str, bytes]:
    """The files of a folder without the log that a running snakemake goes on with."""
    found = contents(folder)
    return {name: one for name, one in found.items() if not name.startswith(".snakemake/log/")}


@pytest.mark.slow
def test_a_second_call_names_the_first_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "600")
    first = command_line(tmp_path)
    there = apart_from_logs(tmp_path)
    words = [sys.executable, "-m", "tips", "stage", "reproduce", "--scale", "smoke"]
    second = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert f"(process {first.pid} on host " in second.stderr
    assert f"wait for it or end it with: kill {first.pid}" in second.stderr
    assert apart_from_logs(tmp_path) == there
    first.terminate()
    first.communicate()


@pytest.mark.slow
def test_jobs_do_not_outlive_a_killed_snakemake(tmp_path: Path) -> None:
    write(tmp_path, "600")
    first = command_line(tmp_path)
    (child,) = psutil.Process(first.pid).children()
    child.kill()
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "not finished (code -9)" in said
    assert processes(tmp_path) == []


def test_what_does_not_end_at_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "GRACE", 0.5)
    words = ["bash", "-c", "trap '' TERM; echo; sleep 600 & wait; wait; sleep 600"]
    with subprocess.Popen(words, process_group=0, stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        reproduce._end(stubborn.pid)
        assert stubborn.wait(timeout=5) == -signal.SIGKILL
    assert reproduce._members(stubborn.pid) == []


def test_signals_that_this_process_ignores_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with reproduce._noted() as came:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
        assert came == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_no_partial_report_is_written_beside_a_live_snakemake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduce, "_stage", lambda *_: pytest.fail("it was written"))
    with (
        alone(reproduce.WORKFLOW, "works in this folder"),
        pytest.raises(LockError, match="works in this folder already"),
    ):
        reproduce._partial_report("test", "", ())


def test_a_partial_report_is_not_taken_for_a_finished_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if nothing changes until the next call: then no input is newer than the tables."""
    ran = []

    def stage(name: str, *_: str) -> bool:
        ran.append(name)
        (folder / f"{name}.csv").write_text("partial")
        return True

    monkeypatch.setattr(reproduce, "_stage", stage)
    reproduce._partial_report("test", "", (folder / "tabulate.csv", folder / "none"))
    assert ran == ["tabulate", "report", "track"]
    assert sorted(file.name for file in folder.glob("*.csv")) == ["report.csv", "track.csv"]


@pytest.mark.slow
def test_failure_keeps_its_code(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "seconds").write_text("no number")
    with pytest.raises(SystemExit) as stop:
        reproduce.run("test")
    assert stop.value.code == 1
    assert "the same command goes on" in capfd.readouterr().out


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
    reproduce.recover(())
    assert orphan.poll() is not None
    assert f"waiting for process {orphan.pid}" in caplog.text


@pytest.mark.parametrize("kind", ["link", "dangling", "file", "folder"])
def test_locks_go_whatever_they_are(folder: Path, kind: str) -> None:
    outside = folder / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    reproduce.LOCKS.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        reproduce.LOCKS.mkdir()
        (reproduce.LOCKS / "0.input.lock").touch()
    elif kind == "file":
        reproduce.LOCKS.touch()
    else:
        reproduce.LOCKS.symlink_to(outside if kind == "link" else folder / "nowhere")
    reproduce.recover(())
    assert not os.path.lexists(reproduce.LOCKS)
    assert (outside / "mine").exists()


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
    reproduce.recover(())
    assert time.monotonic() - begin < 5


def test_snakemake_is_installed() -> None:
    assert shutil.which("snakemake", path=str(Path(sys.executable).parent))
