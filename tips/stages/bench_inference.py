"""Times one window through TIPS against one pass of the single-frame HRNet, both in turn."""

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tips import provenance
from tips.bench.paired_timing import Call, quartiles, seconds
from tips.build import build_model
from tips.config import BACKBONE, ConfigError, Experiment, load_study
from tips.device import cpu_flags, keep_freed_memory, using_threads
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.cost import Macs, multiply_adds
from tips.models.interfaces import PoseModel
from tips.opened import EXPERIMENTS
from tips.ops import native
from tips.planning.subject import subject
from tips.progress import track
from tips.records import atomic_path, write_json
from tips.reporting.bench_inference import page
from tips.tables.paper_size import RELEASE
from tips.tables.published import load_tables

NETWORKS = ("tips-without-vfit", "tips")
AMX = "amx_bf16"
ALONE = ", backbone"  # ends the names of calls that run only the backbone on a window's frames
THREADS = (1, 2)
Record = dict[str, Any]


def run(
    out: Path = Path("results/bench/inference.json"),
    report: Path = Path("reports/bench/inference.md"),
    runs: int = 7,
) -> None:
    """Writes how many single passes of HRNet-W48 a window costs, by CPU time of 1 and 2 threads.

    The pass is timed in both precisions and memory formats, and the fastest one counts. Interim
    frames are given. Windows run in fp32, and also with a bf16 backbone if the CPU has AMX. Their
    frames are also timed through the backbone alone.

    Args:
        out: Writes the record to this json file.
        report: Writes the same as a page to this Markdown file.
        runs: Times every call in this number of rounds, after one round of warm-up.

    Raises:
        ConfigError: no compiled kernel, or no runs.
    """
    if not native.serves("cpu"):
        raise ConfigError("no kernel is built; run `make kernels`")
    if runs < 1:
        raise ConfigError(f"--runs must be at least 1; got {runs}")
    study = load_study("paper", EXPERIMENTS, root="none")
    experiments = {name: study.variant(name).experiment for name in (BACKBONE, *NETWORKS)}
    keeps = keep_freed_memory()
    amx = AMX in cpu_flags()
    passes = single_passes(experiments[BACKBONE])
    windows, backbones = _windows(experiments, ("fp32", "bf16") if amx else ("fp32",))
    macs = _arithmetic(experiments)
    timed: dict[str, list[Record]] = {"passes": [], "networks": []}
    for threads in THREADS:
        with using_threads(threads), torch.inference_mode():
            found = rounds(passes | windows | backbones, runs)
        here = {"threads": threads}
        timed["passes"] += [here | {"name": key} | _times(found[key]) for key in passes]
        timed["networks"] += [here | row for row in _networks(found, passes, windows, macs)]
    crop = experiments[BACKBONE].crop
    result = {
        "crop": [crop.height, crop.width],
        "runs": runs,
        "kernels": native.backend(),
        "freed_memory_kept": keeps,
        "cpu": provenance.machine(),
        "amx": amx,
        **timed,
    }
    write_json(result, out)
    text = page(result, load_tables(EXPERIMENTS / "tables.yaml", RELEASE))
    with atomic_path(report) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


def rounds(calls: Mapping[str, Call], count: int) -> dict[str, list[float]]:
    """Times every call once per round, in CPU seconds; the first round only warms up."""
    found: dict[str, list[float]] = {key: [] for key in calls}
    for turn in track(range(count + 1), "inference"):
        for key, call in calls.items():
            taken = seconds(call)
            if turn:
                found[key].append(taken)
    return found


def single_passes(experiment: Experiment) -> dict[str, Call]:
    """Prepares one frame through backbone and head, in two precisions and two memory formats."""
    model = _model(experiment, autocast=False)
    lean, usual = model.backbone, copy.deepcopy(model.backbone)
    assert isinstance(lean, TimmHRNet)
    assert isinstance(usual, TimmHRNet)
    for parameter in usual.parameters():
        parameter.data = parameter.data.contiguous()
    image = torch.rand(1, 3, experiment.crop.height, experiment.crop.width)
    calls: dict[str, Call] = {}
    for words, network, layout in (
        ("channels last", lean, torch.channels_last),
        ("contiguous", usual, torch.contiguous_format),
    ):
        given = image.contiguous(memory_format=layout)
        calls[f"fp32, {words}"] = _pass(network, given, torch.float32)
        calls[f"bf16, {words}"] = _pass(network, given, torch.bfloat16)
    return calls


def _pass(network: TimmHRNet, image: Tensor, dtype: torch.dtype) -> Call:
    def call() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            maps: Tensor = network.final_layer(network.net(image)[0])
            return maps

    return call


def _windows(
    experiments: Mapping[str, Experiment], precisions: tuple[str, ...]
) -> tuple[dict[str, Call], dict[str, Call]]:
    """Prepares calls of whole windows, and of their frames through the backbone alone."""
    calls: dict[str, Call] = {}
    backbones: dict[str, Call] = {}
    for name in NETWORKS:
        experiment = experiments[name]
        crop, frames = experiment.crop, len(experiment.window)
        rough = frames - 1 if experiment.interim_frames else 0
        images = torch.rand(1, frames, 3, crop.height, crop.width)
        interim = torch.rand(1, rough, 3, crop.height, crop.width)
        for precision in precisions:
            model = _model(experiment, autocast=precision == "bf16")
            calls[f"{name}, {precision}"] = lambda m=model, i=images, r=interim: m(i, r)  # type: ignore[misc]
            backbones[f"{name}, {precision}{ALONE}"] = _backbone(model, images, interim)
    return calls, backbones


def _backbone(model: PoseModel, images: Tensor, interim: Tensor) -> Callable[[], object]:
    """Prepares the backbone's call on a window's frames and interim frames, in one batch."""
    frames = torch.cat([images, interim], dim=1).flatten(0, 1)
    return lambda: model.backbone(frames)


def _model(experiment: Experiment, *, autocast: bool) -> PoseModel:
    torch.manual_seed(0)
    return build_model(experiment, experiment.groups(), autocast).eval()


def _arithmetic(experiments: Mapping[str, Experiment]) -> dict[str, Macs]:
    """Counts the multiply-adds of one window of every network."""
    found = {}
    for name, experiment in experiments.items():
        counted = subject(experiment, "meta")
        found[name] = multiply_adds(counted.model, *counted.window)
    return found


def _networks(
    found: Mapping[str, list[float]],
    passes: Mapping[str, Call],
    windows: Mapping[str, Call],
    macs: Mapping[str, Macs],
) -> list[Record]:
    rows = []
    one_pass = sum(macs[BACKBONE].kinds.values())
    for key in windows:
        name, _, precision = key.partition(", ")
        row: Record = {"variant": name, "precision": precision, **_times(found[key])}
        of = {kind: [one for one in passes if one.startswith(kind)] for kind in ("fp32", "bf16")}
        for what, candidates in (
            ("same_precision", of[precision]),
            ("fp32", of["fp32"]),
            ("any_precision", list(passes)),
        ):
            fastest = min(candidates, key=lambda one: statistics.median(found[one]))
            row[what] = {"fastest": fastest} | _multiple(found[key], found[fastest])
        alone, fastest = found[key + ALONE], row["any_precision"]["fastest"]
        row["backbone"] = {"fastest": fastest} | _multiple(alone, found[fastest])
        whole = sum(macs[name].kinds.values())
        row["mac_ratio"] = round(whole / one_pass, 3)
        row["heads_mac_ratio"] = round((whole - macs[name].children["backbone"]) / one_pass, 3)
        rows.append(row)
    return rows


def _multiple(times: Sequence[float], of: Sequence[float]) -> Record:
    ratios = [a / b for a, b in zip(times, of, strict=True)]
    return {"ratio": round(statistics.median(ratios), 3), "quartiles": quartiles(ratios)}


def _times(found: list[float]) -> Record:
    return {"seconds": round(statistics.median(found), 4), "quartiles": quartiles(found)}
