"""Trains one variant with one seed; after any kill it continues where it stopped."""

import logging
from pathlib import Path
from typing import Any

from tips import provenance, records
from tips.config import ConfigError
from tips.device import choose_device, set_up_training
from tips.freshness import digests, training_code, training_files
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import kernels_of
from tips.training.finished import CHECKPOINT, JOURNAL, RECORD, WEIGHTS, FinishedRun
from tips.training.job import build_job, state_key
from tips.training.loop import Job, Outcome, TrainingError, fit
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
        threads: Sets the number of threads on the CPU; 0 is one per core.
        trigger: Notes this text in provenance.json, by which the workflow knows what the training
            was started for; empty keeps what was noted before.

    Raises:
        ConfigError, RecordError, TrainingError: one line with the remedy.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if seed < 0:
        raise ConfigError(f"--seed must be 0 or more; got {seed}")
    checkout = provenance.checkout()  # as it is when the work starts
    target = choose_device(device)
    set_up_training(threads)
    opened = open_study(scale, root)
    chosen = opened.study.variant(variant)
    prepare_kernels(target)
    made_by = training_code(chosen.experiment, opened.study.scale, kernels_of(target))
    inputs = digests(training_files(*opened, variant, seed))
    key = state_key(opened, chosen, seed, made_by, inputs)
    state = StateFolder(opened.paths.state(variant, str(seed)), key)
    folder = opened.paths.run(variant, str(seed))
    failure = folder / "failed.json"
    finished = FinishedRun(folder, state.folder, key)
    with state.locked():
        failure.unlink(missing_ok=True)
        record = finished.restore()
        if record is not None:
            log.info("already trained: %s", folder / CHECKPOINT)
            note_trigger(folder, record, trigger)
            state.clear()
            return
        noted = {"trigger": trigger} if trigger else noted_trigger(folder)
        job = build_job(opened, chosen, seed, target)
        outcome = _fitted(job, state, failure)
        record = circumstances(opened, chosen, seed, job, outcome)
        record |= origin(opened, chosen, made_by, inputs)
        record["interpolator"] = keep_interpolator(opened, chosen, folder)
        _save(folder, job, state, record | noted, checkout)
        finished.keep()
        state.clear()


def _fitted(job: Job, state: StateFolder, failure: Path) -> Outcome:
    """Trains to the end. If training fails, it records why and raises TrainingError."""
    try:
        return fit(job, state)
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
