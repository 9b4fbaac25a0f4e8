"""Counts what every network costs at the paper's size, beside the paper's numbers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from tips import kinds, records, skeleton
from tips.build import build_criterion, build_model
from tips.checkpoints import COCO
from tips.config import BACKBONE, ConfigError, Experiment
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.models.backbones import build_backbone
from tips.models.cost import multiply_adds, parameters, peak_bytes
from tips.models.interfaces import PoseModel
from tips.ops.compile import prepare_kernels
from tips.reporting.cost import page
from tips.reporting.networks import Networks, network, open_networks
from tips.stages._progress import track
from tips.stages._study import EXPERIMENTS
from tips.stages.speed import interleaved
from tips.tables.costs import read_costs, read_timed
from tips.tensors import Target, Window
from tips.training.criterion import Criterion, forward_pass
from tips.training.device import choose_device
from tips.training.memory import checkpoint_activations

INTERPOLATORS = {"vfit-b": "base", "vfit-s": "small"}
HUGE = "vitpose"  # a backbone that is not timed: its weights alone are 2.5 GB
Row = dict[str, Any]


class Subject(NamedTuple):
    """A model and what it is called with."""

    experiment: Experiment
    model: PoseModel
    window: Window


def run(
    json: Path = Path("results/cost/cost.json"),
    report: Path = Path("reports/cost/cost.md"),
    timed: Path = Path("results/bench/cost.json"),
    measure: bool = False,
    repeats: int = 3,
) -> None:
    """Writes parameters, multiply-adds and memory of every variant of Tables II-VIII, and a page.

    Models are built on the meta device: nothing is computed and no weight is held. Where a model
    looks at interim frames, VFIT-B makes each of them, as in the paper, and counts in parameters
    and multiply-adds; activation memory is the model's with interim frames given.

    Args:
        json: file of the record, a list with one entry per network; with `measure` it holds the
            times as well.
        report: file of the page.
        timed: file of the times, which the page shows where it exists.
        measure: times the rows of Tables VI and VIII on this machine, which takes minutes.
        repeats: timed rounds.

    Raises:
        ConfigError: no rounds.
        RecordError: the file of the times is malformed.
    """
    if repeats < 1:
        raise ConfigError(f"--repeats must be at least 1; got {repeats}")
    times = [] if measure else read_timed(timed)  # one that is damaged is refused before the work
    networks = open_networks(EXPERIMENTS)
    rows = [_interpolator(name) for name in INTERPOLATORS]
    experiments = {name: networks.study.variant(name).experiment for name in networks.names}
    known: dict[str, Row] = {}
    for name, experiment in track(experiments.items(), "cost", len(experiments)):
        kind = network(experiment)
        if kind not in known:
            counted = subject(experiment, "meta")
            known[kind] = cost(counted, rows[0]) | memory(counted)
        rows.append({"variant": name, "title": experiment.title} | known[kind])
    if measure:
        measured = speeds(rows, networks, repeats)
        records.write_json(measured, timed)
        of = {one["variant"]: one for one in measured}
        times = read_timed(timed)
        rows = [row | of.get(row["variant"], {}) for row in rows]
    records.write_json(rows, json)
    with records.atomic(report) as stream:
        stream.write(page(read_costs(json), networks.tables, times))
    print(json, report, *([timed] if measure else []), sep="\n")


def subject(experiment: Experiment, device: str, batch: int = 1, autocast: bool = False) -> Subject:
    """Builds a model and windows of `batch` people on a device; `autocast`: see `build_model`.

    The single-frame HRNet gets COCO's 17 joints: as published, as the tables count it.
    """
    e = experiment
    with torch.device(device):
        model = build_model(e, e.groups(), autocast)
        if e.first_stage and e.backbone.kind == BACKBONE:
            model.backbone = build_backbone(e, autocast, joints=len(COCO))
        size = (e.crop.height, e.crop.width)
        rough = len(e.window) - 1 if e.interim_frames else 0
        images = torch.rand(batch, len(e.window), 3, *size)
        window = Window(images, torch.rand(batch, rough, 3, *size))
    return Subject(e, model.eval(), window)


def cost(counted: Subject, interpolator: Row) -> Row:
    """Counts parameters and multiply-adds of one model on the meta device.

    Args:
        counted: the model.
        interpolator: the row of what makes its interim frames.
    """
    model, window = counted.model, counted.window
    frames, rough = window.images.shape[1], window.rough.shape[1]
    parts = parameters(model)
    counted_macs = multiply_adds(model, *window)
    whole, backbone = counted_macs.kinds, counted_macs.children["backbone"]
    made = {kind: rough * count for kind, count in interpolator["macs"].items()}
    rest = sum(whole.values()) - backbone
    if rough:
        parts["vfit"] = interpolator["params"]
    row = _row(parts, {kind: whole[kind] + made[kind] for kind in whole}) | {
        "frames": frames,
        "interim_frames": rough,
        "gmac_by_part": {
            "backbone": backbone / 1e9,
            "vfit": sum(made.values()) / 1e9,
            "rest": rest / 1e9,
        },
    }
    return row | _head(counted.experiment)


def _head(experiment: Experiment) -> Row:
    """Parameters beside the backbone of a released rival: the row's, and with COCO's joints."""
    network = kinds.load(kinds.MODEL, experiment.model, "network")
    if not hasattr(network, "released"):
        return {}
    found = {}
    for name, joints in (("head", skeleton.COUNT), ("head_coco", len(COCO))):
        with torch.device("meta"):
            parts = parameters(network.released(experiment, joints))
        found[name] = sum(count for part, count in parts.items() if part != "backbone")
    return found


def _interpolator(name: str) -> Row:
    with torch.device("meta"):
        network = VFIT(SIZES[INTERPOLATORS[name]]).eval()
        frames = torch.rand(1, 4, 3, 384, 288)
    title = f"VFIT-{name[-1].upper()}, one middle frame"
    row = _row(parameters(network), multiply_adds(network, frames).kinds)
    return {"variant": name, "title": title} | row


def _row(parts: dict[str, int], macs: dict[str, int]) -> Row:
    total = sum(macs.values())
    return {
        "params": sum(parts.values()),
        "params_by_part": parts,
        "gmac": total / 1e9,
        "gimac": total / 2**30,
        "macs": macs,
    }


def memory(counted: Subject) -> Row:
    """Follows one window's activations, interim frames given, and checkpoints the model's.

    Returns:
        Peaks in MiB: of inference, of a training step, of one with activation checkpointing.
    """
    with torch.no_grad():
        inference = peak_bytes(lambda: counted.model(*counted.window))
    _, step = training_step(counted)
    training = peak_bytes(step)
    counted.model.zero_grad()
    lean = peak_bytes(step) if checkpoint_activations(counted.model) else training
    found = {"inference": inference, "training": training, "checkpointed": lean}
    return {f"{name}_mib": round(size / 2**20, 1) for name, size in found.items()}


def training_step(counted: Subject) -> tuple[Criterion, Callable[[], None]]:
    """The losses of a model, on its device, and a step: forward, losses, backward."""
    experiment, model, window = counted
    batch, frames = window.images.shape[:2]
    height, width = experiment.map_size
    with window.images.device:
        joints = model.backbone.final_layer.out_channels
        target = Target(
            maps=torch.rand(batch, joints, height, width),
            joints=torch.rand(batch, joints, 2),
            weights=torch.ones(batch, joints),
            padded=torch.zeros(batch, frames - 1, dtype=torch.bool),
        )
        criterion = build_criterion(experiment, model)

    def step() -> None:
        criterion(forward_pass(model.train(), window, target))["total"].backward()

    return criterion, step


def speeds(rows: Sequence[Row], networks: Networks, repeats: int) -> list[Row]:
    """Windows per second over those of the single-frame HRNet, interim frames given or made."""
    device = choose_device("auto")
    prepare_kernels(device)
    variants = [networks.study.variant(name) for name in networks.timed]
    subjects = {
        variant.name: subject(variant.experiment, device.type)
        for variant in variants
        if variant.experiment.backbone.kind != HUGE
    }
    interpolator: nn.Module = VFIT(SIZES["base"]).eval().to(device)
    four = torch.rand(1, 4, 3, 384, 288, device=device)
    calls = {name: (lambda one=one: one.model(*one.window)) for name, one in subjects.items()}
    with torch.inference_mode():
        timed = interleaved(calls | {"vfit-b": lambda: interpolator(four)}, repeats, device)
    one_frame = timed[BACKBONE].wall
    made = {row["variant"]: row.get("interim_frames", 0) * timed["vfit-b"].wall for row in rows}
    return [
        {
            "variant": name,
            "device": device.type,
            "speed_given_frames": one_frame / timed[name].wall,
            "speed": one_frame / (timed[name].wall + made[name]),
        }
        for name in subjects
    ]
