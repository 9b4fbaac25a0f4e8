"""A small study whose jobs go through SLURM, and looks into the queue."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import torch

REPOSITORY: Final = Path(__file__).parents[2]
CODE: Final = ("tips", "csrc", "workflow", "experiments", "environment.yml", "requirements.lock")
DOWNLOADS: Final = ("results/assets", "results/cost")
SCALE: Final = "queue"
STUDY: Final = f"{SCALE}-embedded"
SAVING: Final = 20  # steps between two states
SHORT: Final = 40  # epochs of stage one, enough to be stopped between two states
YAML: Final = f"""extends: smoke.yaml
name: {SCALE}
rows: [hrnet, copy-3, concat, tips]
seeds: {{more: {{tips: 1, concat-wide: 1}}}}
interim: [average]
experiment: {{interim: average}}
models: {{single_frame: {{training: {{epochs: EPOCHS, checkpoint_every: {SAVING}}}}}}}
"""
WITHOUT_ACCOUNTING: Final = (
    *("--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "2"),
)
PROFILE: Final = ("--workflow-profile", "workflow/profiles/slurm", *WITHOUT_ACCOUNTING)


def copy_code(folder: Path) -> Path:
    """Copies the code, and what was downloaded, into a folder of its own."""
    for name in (*CODE, *DOWNLOADS):
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy2(source, folder / name)
    return folder


class Queue(NamedTuple):
    """The cluster, by the variables that its commands need."""

    variables: Mapping[str, str]

    def ask(self, *words: str) -> str:
        """What a command of SLURM says."""
        done = subprocess.run(
            words, env=os.environ | self.variables, capture_output=True, text=True, check=True
        )
        return done.stdout

    def waiting_or_running(self) -> list[str]:
        return self.ask("squeue", "--noheader", "--format=%i").split()

    def state(self, number: str) -> str:
        return self.ask("squeue", "--noheader", "--format=%T", f"--jobs={number}").strip()

    def jobs(self) -> list[dict[str, str]]:
        """Everything that SLURM knows of its jobs, also of ended ones."""
        lines = self.ask("scontrol", "show", "job", "--oneliner").splitlines()
        return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if "JobId=" in line]

    def start(self, folder: Path, *command: str, log: str = "main.log") -> subprocess.Popen[bytes]:
        """Starts a command in a session of its own."""
        environment = os.environ | self.variables | {"OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        with (folder / log).open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,
            )

    def run(self, folder: Path, *command: str, log: str = "main.log") -> int:
        return self.start(folder, *command, log=log).wait()


def write_scale(folder: Path, epochs: int) -> None:
    """Writes the scale, whose stage one has so many epochs."""
    file = folder / f"experiments/scales/{SCALE}.yaml"
    file.write_text(YAML.replace("EPOCHS", str(epochs)))


def _heed_ctrl_c() -> None:
    """Undoes what a shell does to the commands that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def snakemake(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "snakemake", "--config", f"scale={SCALE}", *words)


def run_folder(folder: Path, variant: str = "hrnet") -> Path:
    return folder / f"results/{STUDY}/runs/embedded/{variant}/seed-0"


def checkpoint(variant: str = "hrnet") -> str:
    return f"{run_folder(Path(), variant)}/checkpoint.pt"


def steps(folder: Path, variant: str = "hrnet") -> int:
    """The last step that the journal of an unfinished training holds; -1 without one."""
    journal = folder / f"results/{STUDY}/state/{variant}/seed-0/journal.jsonl"
    if not journal.is_file():
        return -1
    whole = [line for line in journal.read_text().splitlines(keepends=True) if line[-1] == "\n"]
    return int(json.loads(whole[-1])["step"]) if whole else -1


def weights(folder: Path, variant: str = "hrnet") -> str:
    """A digest of a run's weights."""
    found = torch.load(run_folder(folder, variant) / "checkpoint.pt", weights_only=True)["model"]
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + found[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def said(folder: Path, variant: str = "hrnet") -> str:
    """What the last job of a training said."""
    return (folder / f"results/{STUDY}/logs/train-{variant}-0.log").read_text()


def until(condition: Callable[[], object], seconds: float, log: Path) -> None:
    """Waits for a condition, or fails with the last lines of a log."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.2)


def times(job: Mapping[str, str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(job["StartTime"]), datetime.fromisoformat(job["EndTime"])
