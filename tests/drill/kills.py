"""The ways in which a run is stopped. Each returns what it did; "" if there was nothing to stop."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Final

from study import Study, kill, stage_of

Run = subprocess.Popen[bytes]
Kill = Callable[[Study, Run, random.Random], str]

SPARE: Final = 2_000_000  # bytes that are left on a disk that fills up, at most
SOON: Final = 120.0  # s in which a run must end after a signal to it


class DrillError(AssertionError):
    """Something that must not happen, whatever is killed."""


def stage(study: Study, run: Run, rng: random.Random) -> str:
    """SIGKILL of one stage; the others go on."""
    running = study.stages()
    if not running:
        return ""
    chosen = rng.choice(running)
    name = stage_of(chosen)
    kill(chosen)
    run.wait()
    return f"SIGKILL of {name or 'a stage that had just ended'}"


def snakemake(study: Study, run: Run, rng: random.Random) -> str:
    """SIGKILL of snakemake; `reproduce` ends its jobs."""
    found = [one for one in study.processes() if one.ppid() == run.pid]
    for one in found:
        kill(one)
    run.wait()
    return "SIGKILL of snakemake" if found else ""


def everything(study: Study, run: Run, rng: random.Random) -> str:
    """SIGKILL of all processes, as when the machine goes down."""
    found = study.processes()
    for one in found:
        kill(one)
    run.wait()
    return f"SIGKILL of all {len(found)} processes"


def reproduce(study: Study, run: Run, rng: random.Random) -> str:
    """SIGKILL of `reproduce` alone: its snakemake goes on, and the next call must say so."""
    alone = [one for one in study.processes() if one.ppid() == run.pid]
    run.kill()
    run.wait()
    if alone and study.make() == 2:
        words = study.said()
        if f"kill {alone[0].pid}" not in words:
            raise DrillError(f"the second call does not say how to end the first: {words}")
        kill(alone[0], signal.SIGTERM)
        _ended(study, "kill of snakemake")
    return "SIGKILL of reproduce, then kill of its snakemake"


def terminate(study: Study, run: Run, rng: random.Random) -> str:
    """SIGTERM of `reproduce`."""
    return _signal(study, run, signal.SIGTERM)


def interrupt(study: Study, run: Run, rng: random.Random) -> str:
    """Ctrl-C."""
    return _signal(study, run, signal.SIGINT)


def hang_up(study: Study, run: Run, rng: random.Random) -> str:
    """The terminal is closed."""
    return _signal(study, run, signal.SIGHUP)


def second(study: Study, run: Run, rng: random.Random) -> str:
    """A second `reproduce`, which must be refused; then all is killed."""
    if (code := study.make()) != 2 and run.poll() is None:
        raise DrillError(f"a second reproduce ended with code {code}: {study.said()}")
    return f"a second reproduce at once, then {everything(study, run, rng)}"


def _signal(study: Study, run: Run, number: signal.Signals) -> str:
    if run.poll() is not None:
        return ""
    run.send_signal(number)
    _ended(study, number.name)
    code = run.wait()
    if code not in (128 + number, -number):
        raise DrillError(f"{number.name}: code {code} instead of {128 + number}: {study.said()}")
    return number.name


def _ended(study: Study, what: str) -> None:
    until = time.monotonic() + SOON
    while left := study.processes():
        if time.monotonic() > until:
            raise DrillError(f"{what}: still there after {SOON:.0f} s: {left[0].cmdline()}")
        time.sleep(0.1)


KINDS: Final[tuple[Kill, ...]] = (
    *(stage, stage, snakemake, everything, everything),
    *(reproduce, terminate, interrupt, hang_up, second),
)


class Disk:
    """A disk that can be filled: a small one of its own, where this user may mount one.

    Elsewhere a limit on the size of files stands in for it.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        study.results.mkdir(parents=True)
        words = ["mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", str(study.results)]
        can = os.geteuid() == 0 and shutil.which("mount") is not None
        self.mounted = (
            can and not subprocess.run(words, check=False, capture_output=True).returncode
        )

    def full(self, rng: random.Random) -> str:
        """Runs until the disk is full."""
        spare = rng.randrange(4096, SPARE)
        if self.mounted:
            self._resize(shutil.disk_usage(self.study.results).used + spare)
            self.study.make()
            self._resize(4 << 30)
            return f"a disk with {spare} bytes left"
        self.study.start("reproduce", limit=spare).wait()
        return f"no file larger than {spare} bytes"

    def close(self, *, keep: bool) -> None:
        """Takes the disk off; what is on it is copied beside it if somebody shall look at it."""
        if self.mounted:
            results = self.study.results
            if keep:
                shutil.copytree(results, results.with_name(f"{results.name}-kept"))
            subprocess.run(["umount", "--lazy", str(results)], check=True)

    def _resize(self, size: int) -> None:
        words = ["mount", "-o", f"remount,size={size}", str(self.study.results)]
        subprocess.run(words, check=True)
