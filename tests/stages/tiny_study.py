"""A real study small enough to train in seconds: made-up frames in PoseTrack18's layout."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tips import __main__ as main
from tips import skeleton
from tips.ops.image import write_jpeg
from tips.stages import interpolate, pack, prepare

REPOSITORY = Path(__file__).parents[2]
SCALE, ROOT = "tiny", "people"
STUDY = ("--scale", SCALE, "--root", ROOT)
EVERY = 5  # steps between saved states
FRAMES, HEIGHT, WIDTH = 6, 48, 64
# Joints in box coordinates, in the order of the skeleton.
POSE = np.array(
    [
        *((0.3, 0.95), (0.35, 0.75), (0.4, 0.55), (0.6, 0.55), (0.65, 0.75), (0.7, 0.95)),
        *((0.1, 0.5), (0.2, 0.35), (0.3, 0.2), (0.7, 0.2), (0.8, 0.35), (0.9, 0.5)),
        *((0.5, 0.15), (0.5, 0.1), (0.5, 0.02)),
    ]
)


def write(folder: Path) -> None:
    """Writes experiments/ and the dataset `people` below a folder."""
    shutil.copytree(REPOSITORY / "experiments", folder / "experiments")
    smoke = yaml.safe_load((folder / "experiments/scales/smoke.yaml").read_text())
    smoke["dataset"] |= {"kind": "posetrack18", "name": None, "embedded": None}
    training = {"epochs": 3, "batch": 2, "checkpoint_every": EVERY, "windows_per_epoch": 24}
    smoke["experiment"]["training"] |= training
    for part in ("synthesis", "distillation", "head"):
        smoke["experiment"][part]["encoder"]["dropout"] = 0.1
    smoke["models"]["single_frame"] = {"training": {"epochs": 1, "stills_per_epoch": 0}}
    smoke["evaluation"]["resamples"] = 10
    smoke |= {"name": SCALE, "rows": ["hrnet", "tips"], "interim": ["average"], "seeds": {}}
    smoke["seeds"] = {"default": 1, "more": {}, "shared_backbone": True}
    smoke["experiment"]["interim"] = "average"
    smoke["evaluation"]["other_rows"] = []
    (folder / "experiments/scales" / f"{SCALE}.yaml").write_text(yaml.safe_dump(smoke))
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            _sequence(folder / ROOT, split, f"{number:06d}_bonn_{split}", number)


@contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """Makes the study ready for training; its folder is the working one within the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        prepare.run(SCALE, ROOT)
        pack.run(SCALE, ROOT)
        interpolate.run("average", SCALE, ROOT)
        yield
    finally:
        os.chdir(before)
        torch.use_deterministic_algorithms(mode=False)


def pack_in(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Makes a folder with the study, its frames packed, the working folder of a test."""
    write(folder)
    patch.chdir(folder)
    prepare.run(SCALE, ROOT)
    pack.run(SCALE, ROOT)
    return folder


def command(*words: str) -> int:
    """Runs `tips` in this process as the command line does; returns its exit code."""
    before = sys.argv
    sys.argv = ["tips", *words]
    try:
        main.app()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


def _sequence(root: Path, split: str, name: str, seed: int) -> None:
    rng = np.random.default_rng([seed, len(split)])
    ground = rng.integers(60, 120, (HEIGHT // 4, WIDTH // 4, 3)).astype(np.uint8)
    images, annotations = [], []
    for k in range(FRAMES):
        picture = np.kron(ground, np.ones((4, 4, 1), np.uint8))
        file = f"images/{split}/{name}/{k:06d}.jpg"
        images.append({"id": seed * 100 + k, "file_name": file, "is_labeled": k > 0})
        for track in range(2):
            box = (6 + 28 * track + k + seed, 6 + 2 * track, 20, 36)
            joints = POSE * box[2:] + box[:2]
            for (x, y), name_ in zip(joints.astype(int), skeleton.JOINTS, strict=True):
                shade = 255 if name_.startswith("left") else 10
                picture[y - 1 : y + 2, x - 1 : x + 2] = (shade, 255 - shade, 40 * track)
            places = dict(zip(skeleton.JOINTS, joints.tolist(), strict=True))
            slots = [(*places[s], 1) if s in places else (0, 0, 0) for s in skeleton.SLOTS_17]
            annotations.append(
                {
                    "image_id": seed * 100 + k,
                    "track_id": track,
                    "bbox": box,
                    "bbox_head": [box[0] + 6, box[1], 8, 8],
                    "keypoints": [value for slot in slots for value in slot],
                }
            )
        write_jpeg(picture, root / file)
    categories = [{"name": "person", "keypoints": list(skeleton.SLOTS_17)}]
    path = root / "annotations" / split / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(raw))
