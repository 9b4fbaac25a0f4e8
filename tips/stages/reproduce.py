"""Runs the whole workflow for `make reproduce`; first it mends what a killed run left behind."""

import contextlib
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
from typing import Any, Final, NoReturn

import psutil

from tips.config import ConfigError, Study, load_study
from tips.config.guests import load_guests
from tips.for_snakemake import GROUPS, TOGETHER, joined
from tips.frozen import environment, freeze
from tips.locks import WORKFLOW, alone
from tips.noted import noted
from tips.paths import Paths, scored, study_paths
from tips.prerequisites import unwritable_cache
from tips.provenance import has_nvidia_driver
from tips.queued import jobs_here
from tips.tables.claims import CLAIMS
from tips.temporaries import discard, sweep

log = logging.getLogger(__name__)

OWN: Final = Path(".snakemake/tips/reproduce.lock")
LOCKS: Final = Path(".snakemake/locks")
HERE: Final = "works in this folder"
SNAKEFILE: Final = Path("workflow/Snakefile")
PROFILES: Final = Path("workflow/profiles")
SNAKEMAKE: Final = (sys.executable, "-m", "snakemake")
SERVERS: Final = ("reproduce", "ui")  # stages that write no file of the workflow
STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILED: Final = 1  # snakemake's exit code after jobs that failed
CANCELLING: Final = 60.0  # s for snakemake to cancel the jobs of a cluster
GRACE: Final = 10.0  # s for processes to tidy up after SIGTERM
PAUSE = 2.0  # s between checks whether a left-over process has ended
QUEUE_PAUSE = 15.0  # s between two looks into a cluster's queue
TICK: Final = 0.1  # s between checks whether a child has ended


def run(
    scale: str = "desk",
    root: str = "",
    peers: bool = False,
    profile: str = "",
    container: str = "",
    snakemake: str = "",
) -> None:
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
        profile: Runs the jobs as this profile says, a folder of workflow/profiles; slurm is a
            cluster. Without it they run on this machine.
        container: Runs the jobs in this image of apptainer, a .sif file or an address.
        snakemake: Hands these words on to Snakemake, as "--jobs 8", or "--dry-run" for a part.

    Raises:
        ConfigError: the study, or the cache folder, cannot be used.
        LockError: another reproduce or snakemake works in this folder.
    """
    if why := unwritable_cache():
        raise ConfigError(why)
    _judge_profile(profile)
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    report = paths.reports / "index.html"
    told = {"scale": scale, "root": root, "peers": "all" * peers, "container": container}
    words, part = joined(snakemake, told, cards=study.scale.card or has_nvidia_driver())
    with alone(OWN, HERE):
        recover((paths.results, paths.reports, Path("csrc")))
        more, variables = _elsewhere(profile, study)
        command = [*SNAKEMAKE, "--rerun-incomplete", *words, *more]
        # What does not fit the dataset is found as soon as that is prepared, before any training.
        first = [file for file in _guests(scale, study, paths) if not Path(file).is_file()]
        code = _child([*command, "--", *first], variables) if first else 0
        code = code or _child(command, variables)
        if code:
            if code == FAILED and not part:
                _partial_report(scale, root, (paths.numbers, CLAIMS.file(paths)))
            _end_unfinished(code)
        if part:
            print("that was what the words for Snakemake asked for; without them all is made")
            return
        wanted = [report, *(paths.metrics(*row) for row in scored(study))]
        undone = _undone(wanted, command, variables)
    if undone:
        print(f"error: {undone}; run the same command again", file=sys.stderr)
        sys.exit(1)
    print(f"The report: {report}")


def _end_unfinished(code: int) -> NoReturn:
    """Ends this process with Snakemake's code."""
    print(f"not finished (code {code}): see the message above; the same command goes on")
    sys.exit(1 if code < 0 else code)


def _judge_profile(name: str) -> None:
    """Refuses a profile that there is not."""
    known = sorted(file.parent.name for file in PROFILES.glob("*/config.yaml"))
    if name and name not in known:
        raise ConfigError(f"--profile must be one of {', '.join(known)}; got {name!r}")


def _elsewhere(profile: str, study: Study) -> tuple[list[str], dict[str, str] | None]:
    """Gives Snakemake's options and variables for a profile, by which jobs run a copy of the code.

    Without a profile these are none, and the variables of this process.
    """
    if not profile:
        return [], None
    copy = freeze()
    together = 1 if study.scale.card else TOGETHER
    words = [
        *("--workflow-profile", str(copy / PROFILES / profile)),
        *("--snakefile", str(copy / SNAKEFILE)),
        *("--group-components", *(f"{kind}={together}" for kind in GROUPS)),
    ]
    return words, environment(copy)


def _guests(scale: str, study: Study, paths: Paths) -> list[str]:
    """Lists the metrics of the guests with a folder of their own."""
    guests = load_guests(scale, study.scale, Path("experiments"))
    return [str(paths.guest(name, "metrics.json")) for name, one in guests.items() if one.folder]


def _undone(wanted: list[Path], command: list[str], variables: dict[str, str] | None) -> str:
    """Names what is missing or not current although Snakemake reported success; "" if none is.

    Args:
        wanted: files that must be there.
        command: how Snakemake was run.
        variables: the environment in which it was run; None: this one.
    """
    missing = [file for file in wanted if not file.is_file()]
    if missing:
        return f"{missing[0]} is missing{_others(missing)}, though snakemake reported success"
    dry = [*command, "--dry-run"]
    shown = subprocess.run(dry, env=variables, capture_output=True, text=True, check=False)
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
        _wait_for_queue()
        if _is_locked():
            # `snakemake --unlock` does no more than this, after it has read the whole study.
            log.warning("taking off the lock of a snakemake that was killed")
            discard(LOCKS)
        swept = sweep(folders)
        if swept:
            log.info("removed what killed processes had half-written: %d files", len(swept))


def _wait_for_queue() -> None:
    """Waits for the jobs that a killed snakemake had sent to a cluster, on whatever node they run.

    Raises:
        NoAnswerError: the queue cannot be asked.
    """
    seen: list[str] = []
    while jobs := jobs_here():
        for job in jobs:
            if job.number not in seen:
                log.warning(
                    "waiting for job %s of a killed run (%s%s; to stop it: scancel %s; its work up "
                    "to the last saved state is kept)",
                    job.number,
                    job.state.lower(),
                    f" on {job.node}" if job.node else "",
                    job.number,
                )
        seen += [job.number for job in jobs]
        time.sleep(QUEUE_PAUSE)


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


def _child(command: list[str], variables: dict[str, str] | None = None) -> int:
    """Runs a command to its end; none of its processes outlives it.

    Ctrl-C and other signals do not reach it, because it is a process group of its own: they are
    noted here, and end this process after the group.
    """
    with _noted() as signals, subprocess.Popen(command, env=variables, process_group=0) as child:
        while child.poll() is None and not signals:
            time.sleep(TICK)
        if signals and "--workflow-profile" in command:
            _cancel(child)
        elif signals and "snakemake" in command:
            # At SIGTERM it would wait for its jobs, and then call each of them failed.
            child.kill()
        _end(child.pid)
    if signals:
        if signals[0] != signal.SIGHUP:  # after which there is no terminal
            print("stopped; what is complete is kept, and the same command goes on from there")
        sys.exit(128 + signals[0])
    return child.returncode


def _cancel(snakemake: subprocess.Popen[bytes]) -> None:
    """Lets snakemake take its jobs out of the queue, as it does at Ctrl-C."""
    snakemake.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        snakemake.wait(CANCELLING)


@contextmanager
def _noted() -> Iterator[list[int]]:
    """Collects the signals that would end this process, except those that it was told to ignore."""
    with noted(one for one in STOPS if signal.getsignal(one) != signal.SIG_IGN) as came:
        yield came


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
