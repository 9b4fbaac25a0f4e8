"""Trains one variant with one seed; after any kill it continues where it stopped."""

import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tips import provenance, records
from tips.config import ConfigError, Variant
from tips.device import choose_device, set_up_training
from tips.freshness import digests, training_code, training_files
from tips.opened import Opened, open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import kernels_of
from tips.training.finished import CHECKPOINT, JOURNAL, RECORD, WEIGHTS, FinishedRun
from tips.training.job import build_job, state_key
from tips.training.launch import is_rank, judge_cards, judge_count, launch
from tips.training.loop import Job, Outcome, TrainingError, fit
from tips.training.ranks import Ranks, joined
from tips.training.recording import (
    circumstances,
    keep_interpolator,
    note_trigger,
    noted_trigger,
    origin,
)
from tips.training.state import StateFolder, save_tensors

log = logging.getLogger(__name__)


def run(
    variant: str,
    seed: int = 0,
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
    trigger: str = "",
    ranks: int = 0,
) -> None:
    """Writes checkpoint.pt, train.jsonl and provenance.json into the run's folder.

    A finished run of the same configuration, data, code and seed is kept; delete its folder to
    train it again.

    Args:
        variant: Names the variant, a file of experiments/.
        seed: Seeds the weights, the order of the samples and the augmentation.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU, which ranks share; 0 is one per core.
        trigger: Notes this text in provenance.json, by which the workflow knows what the training
            was started for; empty keeps what was noted before.
        ranks: Shares each accumulation cycle among so many processes, each with a card if there
            are any; 0 is as the scale says. It changes the weights in their last bits only.

    Raises:
        ConfigError, RecordError, TrainingError: one line with the remedy.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if seed < 0:
        raise ConfigError(f"--seed must be 0 or more; got {seed}")
    checkout = provenance.checkout()  # as it is when the work starts
    opened = open_study(scale, root)
    chosen = opened.study.variant(variant)
    count = ranks or opened.study.scale.ranks
    judge_count(count, chosen.experiment.training.accumulation)
    target = choose_device(device, opened.study.scale)
    judge_cards(count, target)
    if count > 1 and not is_rank():
        options = {"variant": variant, "seed": seed, "scale": scale, "root": root}
        options |= {"device": device, "threads": -(-threads // count), "trigger": trigger}
        options |= {"ranks": count}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        launch(count, ("stage", "train", *words))
        return
    set_up_training(threads)
    prepare_kernels(target)
    made_by = training_code(chosen.experiment, opened.study.scale, kernels_of(target))
    inputs = digests(training_files(*opened, variant, seed))
    one = _Training(opened, chosen, seed, target, made_by, inputs)
    with joined(target) as group:
        if group.rank:
            _help(one, group)
        else:
            _lead(one, group, trigger, checkout)


class _Training(NamedTuple):
    """One training, and what decides its result."""

    opened: Opened
    variant: Variant
    seed: int
    device: torch.device
    made_by: dict[str, str]
    inputs: dict[str, str]

    @property
    def state(self) -> StateFolder:
        """The folder of its state."""
        folder = self.opened.paths.state(self.variant.name, str(self.seed))
        return StateFolder(folder, state_key(*self[:3], self.made_by, self.inputs))

    def job(self) -> Job:
        """Builds model, losses and data."""
        return build_job(*self[:4])


def _lead(one: _Training, group: Ranks, trigger: str, checkout: provenance.Checkout) -> None:
    """Trains as the first rank, which writes all files; a finished run is kept."""
    state, folder = one.state, one.opened.paths.run(one.variant.name, str(one.seed))
    failure = folder / "failed.json"
    finished = FinishedRun(folder, state.folder, state.key)
    with state.locked():
        failure.unlink(missing_ok=True)
        record = finished.restore()
        if not group.agreed(record is None):
            assert record is not None
            log.info("already trained: %s", folder / CHECKPOINT)
            note_trigger(folder, record, trigger)
            state.clear()
            return
        noted = {"trigger": trigger} if trigger else noted_trigger(folder)
        job = one.job()
        outcome = _fitted(job, state, failure, group)
        record = circumstances(*one[:3], job, outcome) | {"ranks": group.count}
        record |= origin(one.opened, one.variant, one.made_by, one.inputs)
        record["interpolator"] = keep_interpolator(one.opened, one.variant, folder)
        _save(folder, job, state, record | noted, checkout)
        finished.keep()
        state.clear()


def _help(one: _Training, group: Ranks) -> None:
    """Trains as another rank, which writes nothing and leaves it to the first to say what fails."""
    if group.agreed(False):
        try:
            fit(one.job(), one.state, group)
        except TrainingError:
            sys.exit(2)


def _fitted(job: Job, state: StateFolder, failure: Path, group: Ranks) -> Outcome:
    """Trains to the end. If training fails, it records why and raises TrainingError."""
    try:
        return fit(job, state, group)
    except TrainingError as error:
        records.write_json({"reason": str(error)}, failure)
        raise


def _save(
    folder: Path,
    job: Job,
    state: StateFolder,
    record: dict[str, Any],
    checkout: provenance.Checkout,
) -> None:
    """Writes the files of a run, the record last."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors({"model": job.model.state_dict()}, folder / CHECKPOINT)
    with records.atomic(folder / JOURNAL) as journal:
        journal.write(state.journal.read_text(encoding="utf-8"))
    dirty = folder / "dirty.diff"
    dirty.unlink(missing_ok=True)
    if checkout.diff:
        with records.atomic(dirty) as stream:
            stream.write(checkout.diff)
    weights = {WEIGHTS: provenance.file_digest(folder / CHECKPOINT)}
    records.write_json(record | weights | checkout.record, folder / RECORD)
