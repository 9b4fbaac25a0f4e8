"""Runs the whole workflow for `make reproduce`; first it mends what a killed run left behind."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from tips.config import ConfigError, Study, load_study
from tips.config.guests import load_guests
from tips.locks import WORKFLOW, alone
from tips.paths import Paths, scored, study_paths
from tips.prerequisites import unwritable_cache
from tips.tables.claims import CLAIMS
from tips.temporaries import discard, sweep

log = logging.getLogger(__name__)

OWN: Final = Path(".snakemake/tips/reproduce.lock")
LOCKS: Final = Path(".snakemake/locks")
HERE: Final = "works in this folder"
SNAKEMAKE: Final = (sys.executable, "-m", "snakemake")
SERVERS: Final = ("reproduce", "ui")  # stages that write no file of the workflow
STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILED: Final = 1  # snakemake's exit code after jobs that failed
GRACE: Final = 10.0  # s for processes to tidy up after SIGTERM
PAUSE = 2.0  # s between checks whether a left-over process has ended
TICK: Final = 0.1  # s between checks whether a child has ended


def run(scale: str = "desk", root: str = "", peers: bool = False) -> None:
    """Makes everything up to the report and says where it is; after any stop it continues.

    It ends with success only if the report and the metrics of every row, seed and kind of boxes
    exist and Snakemake finds nothing left to do.

    One such command works in a folder at a time. Ctrl-C, `kill` and the end of the terminal end it
    with all that it started. After a SIGKILL of snakemake its folder stays locked, and a training
    that it had started may go on. Then the stage waits for that training, because a job writes
    complete files or none, removes the lock, and removes what was half-written.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        peers: Also puts public networks beside our rows.

    Raises:
        ConfigError: the study, or the cache folder, cannot be used.
        LockError: another reproduce or snakemake works in this folder.
    """
    if why := unwritable_cache():
        raise ConfigError(why)
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    report = paths.reports / "index.html"
    config = ["--config", f"scale={scale}", *([f"root={root}"] if root else [])]
    config += ["peers=all"] if peers else []
    with alone(OWN, HERE):
        recover((paths.results, paths.reports, Path("csrc")))
        snakemake = [*SNAKEMAKE, "--rerun-incomplete", *config]
        # What does not fit the dataset is found as soon as that is prepared, before any training.
        first = [file for file in _guests(scale, study, paths) if not Path(file).is_file()]
        code = _child([*snakemake, "--", *first]) if first else 0
        code = code or _child(snakemake)
        if code:
            if code == FAILED:
                _partial_report(scale, root, (paths.numbers, CLAIMS.file(paths)))
            print(f"not finished (code {code}): see the message above; the same command goes on")
            sys.exit(1 if code < 0 else code)
        undone = _undone([report, *(paths.metrics(*row) for row in scored(study))], config)
    if undone:
        print(f"error: {undone}; run the same command again", file=sys.stderr)
        sys.exit(1)
    print(f"The report: {report}")


def _guests(scale: str, study: Study, paths: Paths) -> list[str]:
    """Lists the metrics of the guests with a folder of their own."""
    guests = load_guests(scale, study.scale, Path("experiments"))
    return [str(paths.guest(name, "metrics.json")) for name, one in guests.items() if one.folder]


def _undone(wanted: list[Path], config: list[str]) -> str:
    """Names what is missing or not current although Snakemake reported success; "" if none is."""
    missing = [file for file in wanted if not file.is_file()]
    if missing:
        return f"{missing[0]} is missing{_others(missing)}, though snakemake reported success"
    command = [*SNAKEMAKE, "--dry-run", "--rerun-incomplete", *config]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    text = shown.stdout + shown.stderr
    if shown.returncode == 0 and "Nothing to be done" in text:
        return ""
    old = re.findall(r"^ +output: ([^,\n]+)", text, re.MULTILINE)
    if not old:
        return f"snakemake cannot say whether all is current: {text.strip().splitlines()[-1:]}"
    return f"{old[0]} is not current{_others(old)}"


def _others(files: list[Any]) -> str:
    return f" ({len(files)} in all)" if len(files) > 1 else ""


def _partial_report(scale: str, root: str, of_finished: tuple[Path, ...]) -> None:
    """Writes tables and report of the finished runs; other cells say missing or failed.

    Args:
        scale: the study's scale.
        root: the dataset's folder if the scale has none.
        of_finished: files for programs, which only a finished study has. They are removed, so that
            the workflow makes all tables and the report again, whatever changes until then.
    """
    with alone(WORKFLOW, HERE):
        if _stage("tabulate", scale, root) and _stage("report", scale, root):
            print("a report of what is finished was written; its other cells say missing or failed")
            _stage("track", scale, root)
        for file in of_finished:
            file.unlink(missing_ok=True)


def _stage(name: str, scale: str, root: str) -> bool:
    """Runs a stage; tells whether it succeeded."""
    command = [sys.executable, "-m", "tips", "stage", name, "--scale", scale, "--root", root]
    return _child(command) == 0


def recover(folders: tuple[Path, ...]) -> None:
    """Waits for jobs of a killed snakemake, and removes its lock and what was half-written.

    Args:
        folders: the folders in which the study's jobs write.

    Raises:
        LockError: another snakemake works in this folder.
    """
    with alone(WORKFLOW, HERE):
        for process in _orphans():
            log.warning(
                "waiting for process %d, which a killed run left behind: %s (to stop it: kill %d; "
                "its work up to the last saved state is kept)",
                process.pid,
                " ".join(process.cmdline()[1:]),
                process.pid,
            )
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(PAUSE)
        if _is_locked():
            # `snakemake --unlock` does no more than this, after it has read the whole study.
            log.warning("taking off the lock of a snakemake that was killed")
            discard(LOCKS)
        swept = sweep(folders)
        if swept:
            log.info("removed what killed processes had half-written: %d files", len(swept))


def _is_locked() -> bool:
    """Tells whether snakemake's locks, or what is no folder for them, are in the way."""
    if LOCKS.is_symlink() or not LOCKS.is_dir():
        return os.path.lexists(LOCKS)
    return any(LOCKS.iterdir())


def _orphans() -> Iterator[psutil.Process]:
    """Finds live stages of this package that work in this folder."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _is_job(process.cmdline()) and Path(process.cwd()) == Path.cwd():
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _is_job(words: list[str]) -> bool:
    pairs = zip(words, words[1:], words[2:], strict=False)
    return any(a == "tips" and b == "stage" and c not in SERVERS for a, b, c in pairs)


def _child(command: list[str]) -> int:
    """Runs a command to its end; none of its processes outlives it.

    Ctrl-C and other signals do not reach it, because it is a process group of its own: they are
    noted here, and end this process after the group.
    """
    with _noted() as signals, subprocess.Popen(command, process_group=0) as child:
        while child.poll() is None and not signals:
            time.sleep(TICK)
        if signals and "snakemake" in command:
            # At SIGTERM it would wait for its jobs, and then call each of them failed.
            child.kill()
        _end(child.pid)
    if signals:
        if signals[0] != signal.SIGHUP:  # after which there is no terminal
            print("stopped; what is complete is kept, and the same command goes on from there")
        sys.exit(128 + signals[0])
    return child.returncode


@contextmanager
def _noted() -> Iterator[list[int]]:
    """Collects the signals that would end this process, except those that it was told to ignore."""
    came: list[int] = []
    heeded = [one for one in STOPS if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in heeded}
    try:
        yield came
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(group: int) -> None:
    """Ends all processes of a group: SIGTERM lets them tidy up, SIGKILL ends the others."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + GRACE
        if _members(group):
            os.killpg(group, number)
        while _members(group) and time.monotonic() < until:
            time.sleep(TICK)


def _members(group: int) -> list[int]:
    """Lists the live processes of a group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found
