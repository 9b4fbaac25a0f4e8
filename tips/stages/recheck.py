"""Proves an edit harmless: trains one run of each affected group again, compares all tensors."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tips import provenance, records
from tips.chain import INTERPOLATOR, Judge, Link, served
from tips.checkpoints import read_checkpoint
from tips.config import Variant, digest
from tips.coverage import Lines, lines_run
from tips.data.order import batches
from tips.device import choose_device, set_up_training
from tips.freshness import computing_code, digests, training_code, training_files
from tips.inference.loading import trained_model
from tips.inference.validation import predict
from tips.models.interfaces import PoseModel
from tips.opened import Opened, open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import kernels_of
from tips.paths import scored
from tips.progress import track
from tips.proofs import Pair, Proof, Run, add_proofs, read_proofs
from tips.provenance import PACKAGE
from tips.records import Predictions, RecordError
from tips.training.interpolator_job import build_interpolator_job
from tips.training.job import build_job, state_key
from tips.training.loop import build_optimizer, fit, pose_terms
from tips.training.state import StateFolder

log = logging.getLogger(__name__)


class Begun(NamedTuple):
    """When a proof was begun, and at which commit."""

    time: float
    commit: str

    @classmethod
    def now(cls) -> "Begun":
        """Looks at the clock and at the checkout."""
        return cls(time.monotonic(), provenance.checkout().commit)


class Row(NamedTuple):
    """A finished run whose code changed."""

    seconds: float  # that its training took
    run: Run
    training: Link
    predictions: Link


class Group(NamedTuple):
    """Runs that an edit changes alike, so that one of them proves it harmless for all.

    They are built of the same parts, the edit changes the same files for them, and they run the
    same lines of these files.
    """

    runs: tuple[Run, ...]  # the cheapest first
    training: Mapping[str, Pair]
    predictions: Mapping[str, Pair]

    @property
    def files(self) -> str:
        """The files that changed."""
        return ", ".join(sorted({*self.training, *self.predictions}))


def run(scale: str = "desk", root: str = "") -> None:
    """Marks runs of edited code current if training one of them again proves the edit harmless.

    A training that is repeated with the same code gives the same bits. So the runs whose code was
    edited are sorted into groups. The runs of a group are built of the same parts, and they run the
    same lines of the edited files in their first training step and their first predictions. The
    cheapest run of each group is trained again. If every tensor of its weights and every pose that
    it predicts is equal, all runs of its group are marked current, and the proof is recorded. If
    anything differs in any group, the command names it, changes nothing and ends with code 1.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        ConfigError, RecordError, TrainingError: one line with the remedy.
    """
    opened = open_study(scale, root)
    judge = Judge(*opened, read_proofs(opened.paths.proofs))
    rows, interpolator = affected(judge, opened), stale_interpolator(judge, opened)
    if not rows and interpolator is None:
        print("nothing to recheck: no finished run is of other code than the present one")
        return
    groups = sorted_into_groups(opened, rows)
    proofs = [] if interpolator is None else [prove_interpolator(opened, interpolator)]
    for number, group in enumerate(groups, 1):
        name, seed = group.runs[0]
        log.info(
            "group %d of %d, %s: %s/seed-%d is made again for %d run(s)",
            *(number, len(groups), group.files, name, seed, len(group.runs)),
        )
        proofs.append(prove(opened, judge, group))
    add_proofs(opened.paths.proofs, proofs)
    for proof in proofs:
        print(
            f"{proof.run[0]}/seed-{proof.run[1]}: all {proof.tensors} tensors and every pose are "
            f"equal; current by that: {len(proof.covers)} run(s)"
        )
    print("run snakemake to take the marks off the tables")


def stale_interpolator(judge: Judge, opened: Opened) -> Link | None:
    """Gives VFIT's training if only its code changed since; None otherwise."""
    settings = opened.study.scale.vfit
    if settings is None or settings.training is None:
        return None
    link = judge.interpolator()
    return link if link.code and not (link.keys or link.inputs) else None


def affected(judge: Judge, opened: Opened) -> list[Row]:
    """Lists the finished runs whose code changed, the cheapest first.

    If the configuration or the inputs of a run changed as well, it is left out, and the log says
    so: it must be trained or must predict again anyway.
    """
    found = []
    boxes = opened.study.scale.evaluation.boxes
    for name, variant in opened.study.variants.items():
        for seed in range(variant.seeds):
            training, predictions = judge.training(name, seed), judge.predictions(name, seed, boxes)
            if "missing" in (training.state, predictions.state) or training.state == "failed":
                continue
            if not (training.code or predictions.code):
                continue
            # Another checkpoint is no reason to leave the run out: its weights are compared one by
            # one. A change of any other input would give other poses anyway.
            others = {*predictions.inputs} - {"checkpoint"}
            again = training if training.keys or training.inputs else predictions
            if again is training or predictions.keys or others:
                log.warning("%s/seed-%d: left out, %s", name, seed, again.words)
                continue
            seconds = float(training.record.get("seconds", 0))
            found.append(Row(seconds, (name, seed), training, predictions))
    return sorted(found, key=lambda row: row[:2])


def sorted_into_groups(opened: Opened, rows: Sequence[Row]) -> list[Group]:
    """Sorts runs into groups: same parts, same changed files, same lines of these files run."""
    passed: dict[str, Lines] = {}
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in track(rows, "which lines each run passes"):
        name = row.run[0]
        if name not in passed:
            changed = {*row.training.code, *row.predictions.code}
            files = [PACKAGE / file for file in changed if not file.startswith("csrc/")]
            passed[name] = lines_run(partial(_first_step, opened, row), files)
        changes = (tuple(sorted(link.code.items())) for link in (row.training, row.predictions))
        parts = tuple(opened.study.variant(name).experiment.modules())
        found.setdefault((*changes, passed[name], parts), []).append(row)
    return [
        Group(tuple(row.run for row in same), same[0].training.code, same[0].predictions.code)
        for same in found.values()
    ]


def _first_step(opened: Opened, row: Row) -> None:
    """Runs the first step of a training and predicts one batch, to see which lines are run."""
    (name, seed), boxes = row.run, opened.study.scale.evaluation.boxes
    device = _as_then(name, seed, row.training)
    variant = _in_this_process(opened.study.variant(name))
    job = build_job(opened, variant, seed, device, live=True)
    job.model.train()
    if variant.experiment.learns:
        order = batches(job.pools, seed=job.seed, epochs=1, batch=job.settings.batch, start=0)
        optimizer = build_optimizer(job.model, job.criterion, job.settings)
        pose_terms(job, next(iter(job.load(islice(order, 1)))))["total"].backward()
        optimizer.step()
    assert isinstance(job.model, PoseModel)
    predict(opened, variant, seed, boxes, job.model.eval(), device, limit=1, live=True)


def _in_this_process(variant: Variant) -> Variant:
    """Lets this process read the samples: only the lines that it runs itself are seen."""
    training = variant.experiment.training.model_copy(update={"workers": 0})
    return variant._replace(experiment=variant.experiment.model_copy(update={"training": training}))


def prove(opened: Opened, judge: Judge, group: Group) -> Proof:
    """Makes the cheapest run of a group again. Ends the command if anything differs.

    Args:
        opened: the study.
        judge: tells what each run was made from.
        group: runs that the edit changes alike; the first is the cheapest.

    Returns:
        The proof that the edit is harmless for every run of the group.

    Raises:
        RecordError: the run cannot be repeated here, for example because it needs another device.
    """
    name, seed = group.runs[0]
    began = Begun.now()
    link = judge.training(name, seed)
    device = _as_then(name, seed, link)
    variant = opened.study.variant(name)
    if group.training:
        model = _trained_again(opened, name, seed, device)
        then = read_checkpoint(link.file)["model"]
        compare(f"{name}/seed-{seed}", then, model.state_dict(), link)
    else:
        model = trained_model(opened, variant, seed, device)
    for boxes in _predicted_boxes(opened, name):
        again = predict(opened, variant, seed, boxes, model.eval(), device, live=True)
        file = opened.paths.predictions(name, str(seed), boxes)
        if again != records.read(Predictions, file):
            _refuse(f"{name}/seed-{seed}: equal weights, but other poses on {boxes} boxes")
    changes = {"training": dict(group.training), "predictions": dict(group.predictions)}
    count = len(model.state_dict())
    return _proof((name, seed), group.runs, changes, count, link.file, began)


def prove_interpolator(opened: Opened, link: Link) -> Proof:
    """Trains VFIT again. Ends the command if a tensor differs."""
    began = Begun.now()
    log.info("VFIT, %s: it is trained again", ", ".join(link.code))
    device = _as_then(*INTERPOLATOR, link)
    key = digest({"code": computing_code("vfit"), "data": link.record.get("input_digests", {})})
    state = StateFolder(opened.paths.rechecked("vfit", "0"), key)
    with state.locked():
        job = build_interpolator_job(opened, device)
        fit(job, state)
        state.clear()
    compare("VFIT", read_checkpoint(link.file)["model"], job.model.state_dict(), link)
    changes = {link.name: dict(link.code)}
    count = len(job.model.state_dict())
    return _proof(INTERPOLATOR, (INTERPOLATOR,), changes, count, link.file, began)


def _proof(
    run: Run,
    covers: tuple[Run, ...],
    changes: dict[str, dict[str, Pair]],
    tensors: int,
    checkpoint: Path,
    began: Begun,
) -> Proof:
    """Records a proof, with the place and time at which it was made."""
    return Proof(
        run=run,
        covers=covers,
        changes=changes,
        tensors=tensors,
        checkpoint=provenance.file_digest(checkpoint),
        commit=began.commit,
        time=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=round(time.monotonic() - began.time, 1),
        machine=provenance.machine(),
    )


def _as_then(name: str, seed: int, link: Link) -> torch.device:
    """Sets this process up as the one that trained a run, and gives the device.

    Raises:
        RecordError: this machine lacks the kernels that the run was trained with.
    """
    record = link.record
    set_up_training(int(record.get("threads", 1)))
    device = choose_device(str(record.get("device", "")))
    prepare_kernels(device)
    if kernels_of(device) != served(record):
        raise RecordError(
            f"{name}/seed-{seed}: trained with kernels '{record.get('kernels')}', which do not "
            "serve here; run `make kernels`, or set TIPS_KERNELS as it was"
        )
    return device


def _predicted_boxes(opened: Opened, name: str) -> list[str]:
    """Lists the kinds of boxes on which a variant's poses are predicted."""
    return list(dict.fromkeys(boxes for one, _, boxes in scored(opened.study) if one == name))


def _trained_again(opened: Opened, name: str, seed: int, device: torch.device) -> PoseModel:
    """Trains a run again, in a folder of its own; after any kill it continues."""
    folder = opened.paths.rechecked(name, str(seed))
    variant = opened.study.variant(name)
    made_by = training_code(variant.experiment, opened.study.scale, kernels_of(device))
    inputs = digests(training_files(*opened, name, seed))
    state = StateFolder(folder, state_key(opened, variant, seed, made_by, inputs))
    with state.locked():
        job = build_job(opened, variant, seed, device, live=True)
        fit(job, state)
        state.clear()
    assert isinstance(job.model, PoseModel)
    return job.model


def compare(run: str, then: Mapping[str, Tensor], now: Mapping[str, Tensor], link: Link) -> None:
    """Compares every tensor of two trainings. Ends the command if one differs.

    Args:
        run: the name of the run, for messages.
        then: the tensors of the recorded training, by name.
        now: those of the training that was made now.
        link: the record of the former training.
    """
    apart = [
        key
        for key in sorted(then.keys() | now.keys())
        if key not in then or key not in now or not torch.equal(then[key].cpu(), now[key].cpu())
    ]
    if not apart:
        return
    hint = ""
    here = provenance.vector_extensions()
    if link.record.get("vector_extensions", here) != here:
        hint = f"; it was trained on {link.record.get('machine')}, whose sums may round otherwise"
    _refuse(f"{run}: {len(apart)} of {len(now)} tensors differ, the first is '{apart[0]}'{hint}")


def _refuse(message: str) -> None:
    print(f"error: {message}; no run was marked", file=sys.stderr)
    sys.exit(1)
