"""A study of four rows in a folder of its own: made, killed, made on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

REPOSITORY: Final = Path(__file__).parents[2]
SCALE: Final = "drill"
NAME: Final = f"{SCALE}-embedded"
YAML: Final = f"""extends: smoke.yaml
name: {SCALE}
rows: [hrnet, copy-3, concat, tips]
seeds: {{more: {{tips: 1, concat-wide: 1}}}}
interim: [vfit]
"""
# Counting takes a minute and writes one file, so it is made once, before any study.
COST: Final = "results/cost/cost.json"
CODE: Final = ("tips", "csrc", "workflow", "experiments", "environment.yml", "requirements.lock")
IGNORED: Final = shutil.ignore_patterns("__pycache__", "build")  # every study compiles csrc/
TIPS: Final = (sys.executable, "-m", "tips", "stage")


class Study:
    """A copy of the repository's code with a study of its own.

    Args:
        folder: where it is made.
        source: the repository, or another study, whose code and downloads are taken.
    """

    def __init__(self, folder: Path, source: Path = REPOSITORY) -> None:
        self.folder = folder
        self.orders = folder.with_name(f"{folder.name}-orders")
        self.log = folder.with_name(f"{folder.name}.log")
        self.orders.mkdir(parents=True)
        for name in (*CODE, "results/assets", "results/cost"):
            if (source / name).is_dir():
                shutil.copytree(source / name, folder / name, ignore=IGNORED)
            elif (source / name).is_file():
                shutil.copy2(source / name, folder / name)
        (folder / f"experiments/scales/{SCALE}.yaml").write_text(YAML)

    @property
    def results(self) -> Path:
        return self.folder / "results" / NAME

    def start(
        self, stage: str, *words: str, limit: int | None = None, of_study: bool = True
    ) -> subprocess.Popen[bytes]:
        """Starts a stage in a session of its own; none of its files grows beyond `limit` bytes."""
        scale = ("--scale", SCALE) if of_study else ()
        before = ("prlimit", f"--fsize={limit}") if limit is not None else ()
        paths = [str(Path(__file__).with_name("renames")), str(self.folder)]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "DRILL_RENAMES": str(self.orders),
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*before, *TIPS, stage, *scale, *words],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_heed,
            )

    def make(self, stage: str = "reproduce") -> int:
        """Runs a stage to its end."""
        return self.start(stage).wait()

    def processes(self) -> list[psutil.Process]:
        """The live processes that work in the folder."""
        found = []
        for process in psutil.process_iter():
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and Path(process.cwd()) == self.folder:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def stages(self) -> list[psutil.Process]:
        """Those of them that run a stage of the workflow."""
        return [one for one in self.processes() if stage_of(one) not in ("", "reproduce")]

    def end(self) -> None:
        """Ends everything that works in the folder."""
        for process in self.processes():
            kill(process)
        while self.processes():
            time.sleep(0.1)

    def said(self) -> str:
        """The last lines that were printed."""
        return "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-5:])


def _heed() -> None:
    """Undoes that the drill itself was started to ignore signals, as a shell's background is."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def stage_of(process: psutil.Process) -> str:
    """The stage that a process runs; "" if it runs none."""
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return ""
    pairs = zip(words, words[1:], words[2:], strict=False)
    return next((c for a, b, c in pairs if (a, b) == ("tips", "stage")), "")


def kill(process: psutil.Process, number: int = signal.SIGKILL) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
