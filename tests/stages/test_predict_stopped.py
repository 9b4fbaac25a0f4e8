"""`tips predict` leaves what was there if it is stopped, or if the disk is full."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trained import video

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def begin(
    study: Path, moved: Callable[[str], Path], tmp_path: Path
) -> Callable[..., subprocess.Popen[str]]:
    """Starts the verb as a process of its own on a video of so many frames."""
    run = moved("hrnet")

    def start(count: int, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
        shown = video(tmp_path / "a.mp4", count)
        words = ("predict", str(shown), f"--checkpoint={run}", "--out=out", "--threads=1")
        return subprocess.Popen(
            [sys.executable, "-m", "tips", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            preexec_fn=before,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def heeding() -> None:
    """Undoes that whoever started these tests ignores signals, as nohup does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_what_was_there(
    begin: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.json").write_text("earlier")
    process = begin(3000, heeding)
    until = time.monotonic() + 120
    while len(list(out.iterdir())) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)  # until both temporary files lie beside the earlier one
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("a.json", "earlier")]


def test_a_full_disk_is_one_line(
    begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """A limit on the size of files stands for it: every write behind it fails."""
    most = 3_000
    process = begin(40, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2, said
    (line,) = (one for one in said.splitlines() if one.startswith("error: "))
    assert "disk full" in line or "is the disk full?" in line
    assert not (tmp_path / "out").exists()
