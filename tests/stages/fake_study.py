"""A finished study on disk without a training: tiny truth, predictions with known noise.

The weights are a few bytes each; every record says what the stages would have said of them.
"""

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tips import code, freshness, records, skeleton
from tips.config import MEAN_POSE, Study, digest, load_study
from tips.evaluation.intervals import ENOUGH_SEQUENCES
from tips.paths import Paths, study_paths
from tips.stages import evaluate

REPOSITORY = Path(__file__).parents[2]
SCALE = "fake"
FRAMES = 7
LABELLED = (2, 4)
SEQUENCES = ENOUGH_SEQUENCES
# Noise of the predicted joints in head sizes: the smaller, the better the variant.
NOISE = {
    "mean-pose": 1.2,
    "hrnet": 0.5,
    "single-frame": 0.48,
    "single-frame-scratch": 0.52,
    "concat-wide": 0.33,
    "tips": 0.32,
    "dcpose": 0.4,
    "interim-average": 0.36,
    "groups-1": 0.32,
    "groups-3": 0.35,
    "synthesis-only": 0.31,
    "my-own-idea": 0.6,
}
RIVAL = """extends: ../tips.yaml
title: A rival
model: dcpose
window: [-1, 0, 1]
augmentation: {rotation: 1.0}
"""
AVERAGE = """extends: ../tips.yaml
title: Full model on means of both neighbours
interim: average
"""
SEEDS = {"tips": 3, "concat-wide": 3, "single-frame": 3, "single-frame-scratch": 3}
SEEDS |= {"dcpose": 3, "interim-average": 3}
BOXES = ("gt", "detected")
NETWORKS = tuple(name for name in NOISE if name != "mean-pose")


def build(folder: Path) -> Paths:
    """Writes experiments/ and results/ of the study below a folder; call it inside that folder."""
    _experiments(folder / "experiments")
    study = load_study(SCALE, Path("experiments"))
    paths = study_paths(study.scale)
    annotations = _truth(paths)
    _side_files(paths)
    _interpolator(study, paths)
    for variant, noise in NOISE.items():
        for seed in range(SEEDS.get(variant, 1)):
            write_run(study, paths, annotations, variant, seed, noise)
            if variant in ("hrnet", "tips"):
                write_run(study, paths, annotations, variant, seed, noise * 1.3, "detected")
    return paths


@contextmanager
def inside(folder: Path, measured: bool = False) -> Iterator[Paths]:
    """Puts the study below a folder, which is the working folder until the block ends."""
    if measured:
        shutil.copytree(_measured(), folder, dirs_exist_ok=True)
    with chdir(folder):
        yield (
            study_paths(load_study(SCALE, Path("experiments")).scale) if measured else build(folder)
        )


@cache
def _measured() -> Path:
    """The study with every run evaluated, made once."""
    folder = Path(tempfile.mkdtemp(prefix="tips-fake-study-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with inside(folder):
        measure()
    return folder


def measure(*runs: tuple[str, int, str]) -> None:
    """Evaluates runs of the study in the working folder: the given ones, else all."""
    paths = study_paths(load_study(SCALE, Path("experiments")).scale)
    found = [(name, seed, boxes) for name in NOISE for seed in range(3) for boxes in BOXES]
    for name, seed, boxes in runs or found:
        if paths.predictions(name, str(seed), boxes).is_file():
            evaluate.run(name, seed, boxes, SCALE)


def write_run(
    study: Study,
    paths: Paths,
    annotations: records.Annotations,
    variant: str,
    seed: int,
    noise: float,
    boxes: str = "gt",
) -> None:
    """Writes the weights, predictions, records and training log of one run."""
    generator = np.random.default_rng([seed, *variant.encode(), len(boxes)])
    synthesizes = variant in ("tips", "synthesis-only")
    sequences = []
    for sequence in annotations.sequences:
        frames = tuple(
            records.FramePoses(
                frame=index,
                poses=tuple(_pose(p, noise, generator) for p in sequence.frames[index].people),
            )
            for index in LABELLED
        )
        between = _between(sequence, generator) if synthesizes else ()
        if boxes == "detected":  # a false box belongs to nobody
            between = tuple(one.model_copy(update={"track": -1}) for one in between)
        sequences.append(
            records.SequencePredictions(name=sequence.name, frames=frames, between=between)
        )
    records.write(
        records.Predictions(variant=variant, seed=seed, boxes=boxes, sequences=tuple(sequences)),
        paths.predictions(variant, str(seed), boxes),
    )
    folder = paths.run(variant, str(seed))
    lines = [
        {
            "step": step,
            "epoch": 0,
            "rate": 1e-3,
            "terms": {"heatmap": 2.0 / (1 + step), "trajectory": 1.0 / (1 + step)},
            "total": 3.0 / (1 + step),
        }
        for step in range(0, 40, 4)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if variant != MEAN_POSE:
        paths.checkpoint(variant, str(seed)).write_text(f"weights of {variant}, seed {seed}")
        records.write_json(_trained(study, paths, variant, seed), folder / "provenance.json")
    predicted = _predicted(study, paths, variant, seed, boxes)
    records.write_json(predicted, paths.predicted(variant, str(seed), boxes))


MACHINE = {
    "commit": "a" * 40,
    "dirty": False,
    "device": "cpu",
    "kernels": "torch",
    "versions": {"torch": "2.14.1"},
    "lock_digest": "e" * 64,
    "compiler": "none",
    "machine": "a test, 2 cores",
    "vector_extensions": [],
}


def _trained(study: Study, paths: Paths, variant: str, seed: int) -> dict[str, Any]:
    """Says what provenance.json does."""
    experiment = study.variant(variant).experiment
    told = freshness.training_meaning(experiment, study.scale)
    inputs = freshness.digests(freshness.training_files(study, paths, variant, seed))
    made_by = freshness.training_code(experiment, study.scale, "")
    return MACHINE | {
        "scale": SCALE,
        "dataset": "embedded",
        "variant": variant,
        "seed": seed,
        "precision": "fp32",
        "code": made_by,
        "code_digest": code.summary(made_by),
        "meaning": told,
        "config_digest": digest(told),
        "data_digest": inputs["data"],
        "input_digests": inputs,
        "steps": 40,
        "seconds": 12.5,
        "parameters": 123456,
    }


def _predicted(study: Study, paths: Paths, variant: str, seed: int, boxes: str) -> dict[str, Any]:
    """Says what predicted.json does."""
    files = freshness.prediction_files(study, paths, variant, seed, boxes)
    stage = "mean_pose" if variant == MEAN_POSE else "predict"
    told = {
        "inputs": freshness.digests(files),
        "settings": freshness.settings_of(study.scale.evaluation, stage),
    }
    if variant == MEAN_POSE:
        return told | {"code": freshness.computing_code("mean_pose")}
    made_by = freshness.prediction_code(study.variant(variant).experiment, "")
    return MACHINE | told | {"code": made_by}


def _interpolator(study: Study, paths: Paths) -> None:
    """Writes what VFIT's training leaves."""
    paths.vfit.parent.mkdir(parents=True, exist_ok=True)
    paths.vfit.write_text("weights of VFIT")
    record = MACHINE | {
        "meaning": study.scale.vfit.meaning(),
        "input_digests": freshness.digests({"data": paths.manifest}),
        "code": freshness.computing_code("vfit", device=""),
    }
    records.write_json(record, paths.vfit.with_name("provenance.json"))


def _experiments(folder: Path) -> None:
    shutil.copytree(REPOSITORY / "experiments", folder)
    scale = yaml.safe_load((folder / "scales" / "smoke.yaml").read_text())
    scale["name"] = SCALE
    scale["note"] = "A study made up by a test."
    scale["seeds"] = {"default": 1, "more": SEEDS, "shared_backbone": True}
    scale["rows"] = [*NETWORKS, "window-3"]
    scale["evaluation"]["resamples"] = 60
    (folder / "scales" / f"{SCALE}.yaml").write_text(yaml.safe_dump(scale))
    (folder / "baselines" / "dcpose.yaml").write_text(RIVAL)
    (folder / "interim").mkdir(exist_ok=True)
    (folder / "interim" / "interim-average.yaml").write_text(AVERAGE)
    (folder / "ablation" / "my-own-idea.yaml").write_text(
        "extends: ../tips.yaml\ntitle: My own idea\nwindow: [-1, 0]\n"
    )


def _truth(paths: Paths) -> records.Annotations:
    generator = np.random.default_rng(0)
    sequences = []
    for number in range(SEQUENCES):
        name = f"{number:06d}_mpii_test"
        start = generator.uniform(30, 60, (2, skeleton.COUNT, 2)) + np.array([[[0, 0]], [[60, 0]]])
        speed = generator.uniform(0.2, 2.0, (2, 1, 2))
        times = np.arange(2 * FRAMES - 1) / 2
        places = start[:, None] + times[None, :, None, None] * speed[:, None]
        joints, between = places[:, ::2], places[:, 1::2]
        sequences.append(
            records.Sequence(
                name=name,
                width=128,
                height=96,
                motion="run" if number % 2 else "dance",
                frames=tuple(_frame(name, index, joints[:, index]) for index in range(FRAMES)),
            )
        )
        records.write_json(
            {
                "degraded": [bool((number + k) % 3 == 0) for k in range(FRAMES)],
                "people": [
                    {
                        "track": track,
                        "first": 0,
                        "joints": joints[track].tolist(),
                        "between": {"0.5": between[track].tolist()},
                        "visible": (generator.uniform(size=(FRAMES, 15)) > 0.2).tolist(),
                    }
                    for track in range(2)
                ],
            },
            paths.root / "truth" / "val" / f"{name}.json",
        )
    annotations = records.Annotations(
        dataset="embedded", split="val", root=str(paths.root), sequences=tuple(sequences)
    )
    records.write(annotations, paths.annotations("val"))
    return annotations


def _frame(name: str, index: int, joints: np.ndarray) -> records.Frame:
    people = tuple(
        records.Person(
            track=track,
            box=(*points.min(axis=0), *np.ptp(points, axis=0)),
            head=(*points[14], 8.0, 8.0),
            joints=tuple(map(tuple, points)),
        )
        for track, points in enumerate(joints)
    )
    labelled = index in LABELLED
    return records.Frame(
        file=f"images/val/{name}/{index:06d}.jpg",
        id=index,
        labelled=labelled,
        people=people if labelled else (),
    )


def _pose(person: records.Person, noise: float, generator: np.random.Generator) -> records.Pose:
    head = 0.6 * 8.0 * 2**0.5
    offset = generator.normal(0, noise * head, (skeleton.COUNT, 2))
    sure = np.exp(-np.linalg.norm(offset, axis=1) / head) + generator.uniform(0, 0.3, 15)
    return records.Pose(
        track=person.track,
        score=float(sure.mean()),
        joints=tuple(map(tuple, person.points + offset)),
        scores=tuple(sure.tolist()),
    )


def _between(
    sequence: records.Sequence, generator: np.random.Generator
) -> tuple[records.Between, ...]:
    left, right = (sequence.frames[index].people for index in LABELLED)
    items = []
    for a, b in zip(left, right, strict=True):
        ends = [person.points + generator.normal(0, 0.5, (15, 2)) for person in (a, b)]
        middle = (ends[0] * 0.7 + ends[1] * 0.3) + generator.normal(0, 0.3, (15, 2))
        items.append(
            records.Between(
                track=a.track,
                left=LABELLED[0],
                time=0.5,
                joints=tuple(map(tuple, middle)),
                ends=(tuple(map(tuple, ends[0])), tuple(map(tuple, ends[1]))),
                rough=tuple(map(tuple, middle + generator.normal(0, 0.5, (15, 2)))),
                padded=False,
            )
        )
    return tuple(items)


def _side_files(paths: Paths) -> None:
    records.write_json({"dataset": "embedded", "counts": {}, "files": {}}, paths.manifest)
    empty = records.Annotations(dataset="embedded", split="train", root="x", sequences=())
    records.write(empty, paths.annotations("train"))
    for boxes in ("gt", "detected"):
        records.write_json({"boxes": boxes}, paths.boxes(boxes))
    records.write_json(
        {
            "reference": "hrnet",
            "rows": {
                "hrnet": {"wall_ratio": 1.0, "cpu_ratio": 1.0},
                "tips": {"wall_ratio": 5.25, "cpu_ratio": 5.5},
            },
        },
        paths.speed,
    )
    for generator, mean in {"average": 26.2, "flow": 27.4, "vfit": 29.1}.items():
        psnr = {"train": {"mean": mean + 0.4, "n": 40}, "val": {"mean": mean, "n": 20}}
        records.write_json({"generator": generator} | psnr, paths.interim(generator) / "psnr.json")
    groups = skeleton.GROUPS[5]
    records.write_json(
        {
            "count": 5,
            "groups": [list(ids) for ids in groups.values()],
            "names": [[skeleton.JOINTS[j] for j in ids] for ids in groups.values()],
            "ari": 1.0,
            "samples": 99,
            "matrix": np.eye(15).tolist(),
        },
        paths.groups("5"),
    )
