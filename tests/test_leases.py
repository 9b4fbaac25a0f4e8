"""A lease is one process's, until that lets it go or has not touched it for long."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tips import leases
from tips.leases import HeldError, lease


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(leases, "BEAT", 0.05)
    monkeypatch.setattr(leases, "LEFT", 0.5)
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


def test_one_that_is_left_over_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    file = tmp_path / "lock.lease"
    file.write_text("of a killed process")
    with pytest.raises(HeldError), lease(path):
        pytest.fail("it may still live")
    os.utime(file, (time.time() - 1, time.time() - 1))
    with lease(path):
        assert file.read_text() != "of a killed process"
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


def test_who_has_lost_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, told = tmp_path / "lock", threading.Event()
    monkeypatch.setattr(os, "kill", lambda process, number: told.set())
    with lease(path):
        (tmp_path / "lock.lease").write_text("another's")
        assert told.wait(5)
    assert (tmp_path / "lock.lease").read_text() == "another's"
