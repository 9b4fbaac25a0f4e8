"""One process holds a lock, and everybody else is told which."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips import leases, locks
from tips.locks import LockError, alone, waiting

ROOT = Path(__file__).parents[1]
HOLD = (
    "import sys; from pathlib import Path; from tips.locks import alone\n"
    "with alone(Path(sys.argv[1]), 'works here'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def holder(path: Path, *before: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock."""
    words = [*before, sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        words,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # `nohup` ignores it, and children would, too.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def refused(path: Path) -> str:
    with pytest.raises(LockError) as error, alone(path, "works here"):
        pytest.fail("two processes hold one lock")
    return str(error.value)


def test_the_refusal_names_the_holder_and_how_to_end_it(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/lock"
    with holder(path) as process:
        before = path.read_bytes()
        said = refused(path)
        assert path.read_bytes() == before
        assert f"(process {process.pid} on host {os.uname().nodename} since " in said
        assert said.startswith("`-c ")
        assert said.endswith(f"works here already; wait for it or end it with: kill {process.pid}")
        assert "\n" not in said
    assert path.exists()
    with alone(path, "works here"):  # however the holder ended
        assert json.loads(path.read_bytes())["process"] == os.getpid()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_lock_ends_with_its_process(tmp_path: Path, number: signal.Signals) -> None:
    with holder(tmp_path / "lock") as process:
        process.send_signal(number)
        process.wait()
        with alone(tmp_path / "lock", "works here"):
            pass


def test_children_that_outlive_a_process_do_not_hold_its_lock(tmp_path: Path) -> None:
    code = HOLD.replace("print", "import subprocess; subprocess.Popen(['sleep', '30']); print")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait()
        try:
            with alone(tmp_path / "lock", "works here"):
                pass
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_another_container_is_refused_too(tmp_path: Path) -> None:
    words = ("unshare", "--pid", "--fork", "--kill-child")
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("no right to make a PID namespace")
    with holder(tmp_path / "lock", *words):
        assert "end it in its container with: kill 1" in refused(tmp_path / "lock")


def test_a_holder_on_another_host_is_ended_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(tmp_path / "lock") as process:
        monkeypatch.setattr(locks.platform, "node", lambda: "elsewhere")
        assert refused(tmp_path / "lock").endswith(f"end it there with: kill {process.pid}")


def test_who_waits_says_for_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with holder(tmp_path / "lock") as process:
        assert process.stdin is not None
        end = process.stdin.close  # the holder goes on until its waiter has spoken
        monkeypatch.setattr(locks.log, "info", lambda *words: (said.append(words[1]), end()))
        with waiting(tmp_path / "lock", "works here"):
            assert json.loads((tmp_path / "lock").read_bytes())["process"] == os.getpid()
    assert f"process {process.pid}" in said[0]
    with waiting(tmp_path / "lock", "works here"):
        assert len(said) == 1


@pytest.mark.parametrize("number", locks.NO_LOCKS)
@pytest.mark.parametrize("kind", [alone, waiting])
def test_without_locks_a_lease_holds_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type
) -> None:
    def no(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no)
    monkeypatch.setattr(leases, "BEAT", 0.05)
    lock = tmp_path / "lock"
    for _ in range(2):  # a lease is given back
        with kind(lock, "works here"):
            with pytest.raises(LockError, match=f"process {os.getpid()} on host"):
                with alone(lock, "works here"):
                    pytest.fail("held twice")
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_a_lock_is_none_while_a_lease_is_held(tmp_path: Path) -> None:
    """Two nodes may mount one folder, one of them without locks."""
    with leases.lease(tmp_path / "lock"):
        refused(tmp_path / "lock")
    with alone(tmp_path / "lock", "works here"):
        pass


def test_a_holder_in_a_queue_is_ended_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with alone(tmp_path / "lock", "works here"):
        said = refused(tmp_path / "lock")
    assert f"(job 17, process {os.getpid()} on host " in said
    assert said.endswith("wait for it or end it with: scancel 17")


def test_other_errors_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="broken"), alone(tmp_path / "lock", "works here"):
        pytest.fail("no lock was held")


@pytest.mark.parametrize("kind", ["link", "dangling", "loop", "folder", "pipe"])
def test_what_is_no_plain_file_is_refused_and_not_written_to(tmp_path: Path, kind: str) -> None:
    lock, other = tmp_path / "lock", tmp_path / "other"
    other.write_text("precious")
    make = {
        "link": lambda: lock.symlink_to(other),
        "dangling": lambda: lock.symlink_to(tmp_path / "new"),
        "loop": lambda: lock.symlink_to(lock),
        "folder": lock.mkdir,
        "pipe": lambda: os.mkfifo(lock),
    }
    make[kind]()
    with pytest.raises(LockError, match="must be a plain file"), alone(lock, "works here"):
        pytest.fail("a lock on no file")
    assert other.read_text() == "precious"
    assert not (tmp_path / "new").exists()


def test_a_copy_by_hard_links_has_a_lock_of_its_own(tmp_path: Path) -> None:
    lock, other = tmp_path / "lock", tmp_path / "other"
    other.write_text("precious")
    lock.hardlink_to(other)
    with alone(lock, "works here"):
        assert other.read_text() == "precious"
        assert lock.stat().st_nlink == other.stat().st_nlink == 1


@pytest.mark.parametrize("there", [True, False])
def test_no_lock_is_kept_behind_a_link(tmp_path: Path, there: bool) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    if there:
        outside.mkdir()
        (outside / "lock").write_text("precious")
    folder.symlink_to(outside)
    with pytest.raises(LockError, match="folder: is a link"), alone(folder / "lock", "works here"):
        pytest.fail("a lock elsewhere")
    assert outside.exists() == there
    assert not there or (outside / "lock").read_text() == "precious"


SIGNED = {
    "process": 7,
    "host": "a",
    "namespace": 1,
    "command": "b",
    "since": "2026-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    "content",
    [
        *("{}", "[]", '"x"', "null", "7", '{"host": "a"}'),
        *(
            json.dumps(SIGNED | changed)
            for changed in (
                *({"since": "x"}, {"since": "2026-01-01T00:00:00"}, {"since": 1}),
                *({"since": "0001-01-01T00:00:00+00:00"}, {"since": "9999-12-31T23:59:59-12:00"}),
                *({"process": -1}, {"process": 0}, {"process": "1"}, {"host": 1}),
                *({"command": None}, {"namespace": "x"}),
            )
        ),
    ],
)
def test_a_lock_that_another_program_holds_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(locks, "SIGNED", 0.1)
    path = tmp_path / "lock"
    path.write_text(content)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert refused(path) == (
            f"another process works here already (it holds {path}); wait for it"
        )
    assert path.read_text() == content


def test_a_holder_s_words_are_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    words = "\x1b[2J\n" + 300 * "x"
    path.write_text(json.dumps(SIGNED | {"command": words, "host": words}))
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = refused(path)
    assert said.isprintable()
    assert len(said) < 3 * locks.LONGEST


@given(st.binary(max_size=60))
def test_nothing_in_the_file_of_a_free_lock_matters(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "free"
    path.write_bytes(content)
    with alone(path, "works here"):
        pass


@given(st.lists(st.text(max_size=300), max_size=3))
def test_a_command_is_one_short_line(words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/a/tips/__main__.py", *words])
        said = locks._command()
    assert said.startswith("tips")
    assert len(said) <= locks.LONGEST
    assert said.isprintable()
