"""Counts parameters, multiply-adds and memory of networks at the paper's size; measures speed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tips import kinds, skeleton
from tips.bench.interleaved import interleaved
from tips.checkpoints import COCO
from tips.config import BACKBONE, Experiment
from tips.device import choose_device
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.models.cost import multiply_adds, parameters, peak_bytes
from tips.ops.compile import prepare_kernels
from tips.planning.subject import Subject, subject, training_step
from tips.tables.paper_size import Networks
from tips.training.memory import checkpoint_activations

INTERPOLATORS = {"vfit-b": "base", "vfit-s": "small"}

HUGE = "vitpose"  # this backbone is not timed, because its weights alone are 2.5 GB

Row = dict[str, Any]


def cost(counted: Subject, interpolator: Row) -> Row:
    """Counts parameters and multiply-adds of one model on the meta device.

    Args:
        counted: the model.
        interpolator: the counts of the network that makes the model's interim frames.
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
    """Counts the parameters beside the backbone of a rival whose code is public.

    They are counted for the dataset's joints and for COCO's; other models give an empty row.
    """
    network = kinds.load(kinds.MODEL, experiment.model, "network")
    if not hasattr(network, "released"):
        return {}
    found = {}
    for name, joints in (("head", skeleton.COUNT), ("head_coco", len(COCO))):
        with torch.device("meta"):
            parts = parameters(network.released(experiment, joints))
        found[name] = sum(count for part, count in parts.items() if part != "backbone")
    return found


def interpolator_cost(name: str) -> Row:
    """Counts one of the networks `INTERPOLATORS` for one interim frame."""
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
    """Measures the activations of one window, with interim frames given, on the meta device.

    Afterwards the model checkpoints its activations.

    Returns:
        Peaks in MiB: of inference, of a training step, and of one with activation checkpointing.
    """
    with torch.no_grad():
        inference = peak_bytes(lambda: counted.model(*counted.window))
    _, step = training_step(counted)
    training = peak_bytes(step)
    counted.model.zero_grad()
    lean = peak_bytes(step) if checkpoint_activations(counted.model) else training
    found = {"inference": inference, "training": training, "checkpointed": lean}
    return {f"{name}_mib": round(size / 2**20, 1) for name, size in found.items()}


def speeds(rows: Sequence[Row], networks: Networks, repeats: int) -> list[Row]:
    """Measures windows per second over those of the single-frame HRNet.

    Args:
        rows: the counted networks, which tell how many interim frames a window needs.
        networks: the study at the paper's size, and the variants that are timed.
        repeats: the number of timed rounds.

    Returns:
        For each network the speed with interim frames given, and with VFIT-B making them.
    """
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
