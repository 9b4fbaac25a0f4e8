"""A lease is one process's, until that lets it go or has not touched it for long."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tips import leases
from tips.leases import HeldError, lease


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(leases, "BEAT", 0.05)
    monkeypatch.setattr(leases, "LEFT", 0.5)
    monkeypatch.setattr(leases, "LOOK", 0.02)
    return


def test_it_is_held_as_long_as_it_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lease(path):
        time.sleep(3 * leases.LEFT)
        with pytest.raises(HeldError), lease(path):
            pytest.fail("held twice")
    with lease(path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("age", [0.0, 1.0])
def test_one_that_is_left_over_is_taken_when_that_is_sure(tmp_path: Path, age: float) -> None:
    file = tmp_path / "lock.lease"
    file.write_text("of a killed process")
    os.utime(file, (time.time() - age, time.time() - age))
    began = time.monotonic()
    with lease(tmp_path / "lock"):
        assert file.read_text() != "of a killed process"
    assert (time.monotonic() - began > 0.8 * leases.LEFT) == (not age)
    assert list(tmp_path.iterdir()) == []


def test_one_of_many_takes_a_lease_that_is_left_over(tmp_path: Path) -> None:
    path, taken = tmp_path / "lock", []
    file = tmp_path / "lock.lease"
    file.write_text("of a killed process")
    os.utime(file, (time.time() - 9, time.time() - 9))
    together = threading.Barrier(8)

    def take() -> None:
        together.wait()
        try:
            with lease(path):
                taken.append(1)
                done.wait(5)
        except HeldError:
            pass

    done = threading.Event()
    threads = [threading.Thread(target=take) for _ in range(8)]
    for one in threads:
        one.start()
    time.sleep(0.5)
    done.set()
    for one in threads:
        one.join()
    assert taken == [1]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when the process would end at once."""
    told = threading.Event()

    monkeypatch.setattr(os, "_exit", lambda code: code == leases.MISUSE and told.set())
    return told


def test_who_has_lost_it_ends_at_once(
    tmp_path: Path, ends: threading.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    with lease(tmp_path / "lock"):
        (tmp_path / "lock.lease").write_text("another's")
        assert ends.wait(5)
    assert (tmp_path / "lock.lease").read_text() == "another's"
    assert "was taken by another process" in capsys.readouterr().err


def test_a_file_system_may_fail_for_a_moment_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: threading.Event
) -> None:
    broken = threading.Event()
    touch = os.utime

    def utime(*words: Any) -> None:
        if broken.is_set():
            raise OSError(5, "Input/output error")
        touch(*words)

    monkeypatch.setattr(os, "utime", utime)
    with lease(tmp_path / "lock"):
        broken.set()
        time.sleep(3 * leases.BEAT)
        broken.clear()
        assert not ends.wait(2 * leases.LEFT)
        with pytest.raises(HeldError), lease(tmp_path / "lock"):
            pytest.fail("held twice")
        broken.set()
        assert ends.wait(5)
