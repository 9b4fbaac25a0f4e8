"""Starts the ranks of a training on this machine, as `torchrun --standalone` does."""

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from tips.config import ConfigError
from tips.training.stopping import ASKING

HEEDED: Final = (*ASKING, signal.SIGINT, signal.SIGHUP)  # passed on to every rank


def judge_count(count: int, accumulation: int) -> None:
    """Refuses a number of ranks that cannot share a cycle evenly."""
    if count < 1 or accumulation % count:
        raise ConfigError(
            f"ranks must divide training.accumulation, which is {accumulation}; got {count}"
        )


def judge_cards(count: int, device: torch.device) -> None:
    """Refuses more ranks than there are cards for, if they compute on cards."""
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise ConfigError(
            f"ranks must be at most {torch.cuda.device_count()}, the number of cards here, as each "
            f"takes one; got {count}"
        )


def is_rank() -> bool:
    """Tells whether this process is one of the ranks that torchrun has started already.

    RANK and WORLD_SIZE would not tell: a cluster may set them in every job.
    """
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(count: int, words: Sequence[str]) -> None:
    """Runs `tips` with some words as so many processes; ends this one if they fail.

    The first one speaks for all. Another's last error is shown if it is the cause.

    Args:
        count: number of processes.
        words: what follows `tips` on the command line.

    Raises:
        SystemExit: a process failed or a signal came; with its exit code.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(folder, {rank: Std.ALL for rank in range(1, count)}),
            signals_to_handle=",".join(one.name for one in HEEDED),
        )
        try:
            elastic_launch(config, sys.executable)("-m", "tips", *words)
        except SignalException as stop:
            raise SystemExit(128 + stop.sigval) from None
        except ChildFailedError as error:
            _end(*error.get_first_failure(), Path(folder))


def _end(rank: int, failure: ProcessFailure, folder: Path) -> NoReturn:
    """Ends this process as a rank that failed."""
    code = failure.exitcode
    if rank:
        for file in folder.glob(f"*/attempt_0/{rank}/stderr.log"):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            said = [line for line in lines if line.startswith("error: ")]
            last = [f"error: rank {rank}: {line}" for line in lines if line.strip()]
            print(*(said or last)[-1:], sep="\n", file=sys.stderr)
    if code < 0:
        name = signal.Signals(-code).name
        print(f"error: rank {rank} of this training was ended by {name}", file=sys.stderr)
    raise SystemExit(code if code > 0 else 128 - code)
