"""Runs the whole workflow for `make reproduce`; first it mends what a killed run left behind."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

from tips.config import load_study
from tips.paths import scored, study_paths
from tips.records import RecordError

log = logging.getLogger(__name__)

LOCKS: Final = Path(".snakemake/locks")
SERVERS: Final = ("reproduce", "ui")  # stages that write no file of the workflow
PAUSE = 2.0  # seconds between checks whether a left-over process has ended


def run(scale: str = "desk", root: str = "", peers: bool = False) -> None:
    """Makes everything up to the report and says where it is; after any stop it continues.

    It ends with success only if the report and the metrics of every row, seed and kind of boxes
    exist and Snakemake finds nothing left to do.

    After a SIGKILL of snakemake its folder stays locked, and a training that it had started goes
    on. If a snakemake still works in this folder, the stage refuses to start. If only a job of a
    killed one still runs, the stage waits for it, because a job writes complete files or none, and
    then removes the lock.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        peers: Also puts public networks beside our rows.

    Raises:
        ConfigError: the study cannot be used.
        RecordError: another snakemake works in this folder.
    """
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    report = paths.reports / "index.html"
    config = ["--config", f"scale={scale}", *([f"root={root}"] if root else [])]
    config += ["peers=all"] if peers else []
    recover(config)
    code = _snakemake(["--rerun-incomplete", *config])
    if code:
        _partial_report(scale, root)
        print(f"not finished (code {code}): see the message above; run the same command to go on")
        sys.exit(1 if code < 0 else code)
    undone = _undone([report, *(paths.metrics(*row) for row in scored(study))], config)
    if undone:
        print(f"error: {undone}; run the same command again", file=sys.stderr)
        sys.exit(1)
    print(f"The report: {report}")


def _undone(wanted: list[Path], config: list[str]) -> str:
    """Names what is missing or not current although Snakemake reported success; "" if none is."""
    missing = [file for file in wanted if not file.is_file()]
    if missing:
        return f"{missing[0]} is missing{_others(missing)}, though snakemake reported success"
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--rerun-incomplete", *config]
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


def _partial_report(scale: str, root: str) -> None:
    """Writes tables and report of the finished runs; other cells say missing or failed."""
    if _stage("tabulate", scale, root) and _stage("report", scale, root):
        print("a report of what is finished was written; its other cells say missing or failed")
        _stage("track", scale, root)


def _stage(name: str, scale: str, root: str) -> bool:
    """Runs a stage; tells whether it succeeded."""
    command = [sys.executable, "-m", "tips", "stage", name, "--scale", scale, "--root", root]
    return subprocess.run(command, check=False).returncode == 0


def recover(config: list[str]) -> None:
    """Waits for jobs of a killed snakemake and removes its lock; refuses if a snakemake still runs.

    Args:
        config: the arguments of snakemake's --config.

    Raises:
        RecordError: another snakemake works in this folder.
    """
    alive = list(_here("snakemake"))
    if alive:
        raise RecordError(
            f"snakemake (process {alive[0].pid}) works in this folder already; wait for it, or end "
            f"it with: kill {alive[0].pid}"
        )
    for process in _here("stage"):
        log.warning(
            "waiting for process %d, which a killed run left behind: %s (to stop it: kill %d; its "
            "work up to the last saved state is kept)",
            process.pid,
            " ".join(process.cmdline()[1:]),
            process.pid,
        )
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(PAUSE)
    if LOCKS.is_dir() and any(LOCKS.iterdir()):
        log.warning("taking off the lock of a snakemake that was killed")
        _snakemake(["--unlock", *config])


def _here(kind: str) -> Iterator[psutil.Process]:
    """Finds other live processes of this folder: snakemake itself, or stages of this package."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = process.cmdline()
            if _is_kind(kind, words) and Path(process.cwd()) == Path.cwd():
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _is_kind(kind: str, words: list[str]) -> bool:
    if kind == "snakemake":
        return any(Path(word).name == "snakemake" for word in words[:3])
    pairs = zip(words, words[1:], words[2:], strict=False)
    return any(a == "tips" and b == "stage" and c not in SERVERS for a, b, c in pairs)


def _snakemake(arguments: list[str]) -> int:
    """Runs snakemake to its end. Ctrl-C reaches snakemake directly, so this process ignores it."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    with subprocess.Popen(command) as child:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return child.wait()
        finally:
            signal.signal(signal.SIGINT, before)
