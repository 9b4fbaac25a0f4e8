"""Decodes every frame of the dataset once into memory maps (`dataset.frames: packed`)."""

from pathlib import Path

import tips.records as records
from tips.config import load_study
from tips.data.frames import FileFrames, pack
from tips.paths import study_paths
from tips.progress import track


def run(scale: str = "desk", root: str = "") -> None:
    """Packs train, val and the stills of the embedded dataset; writes packed.json last.

    If a scale reads its frames from files, nothing is packed and packed.json is empty.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        ConfigError: the study cannot be used.
        RecordError: an image is missing or unreadable; names it.
    """
    study = load_study(scale, Path("experiments"), root or None)
    dataset, paths = study.scale.dataset, study_paths(study.scale)
    splits = ["train", "val"] if dataset.frames == "packed" else []
    if splits and dataset.embedded is not None and dataset.embedded.stills:
        splits.append("stills")
    report: dict[str, dict[str, int]] = {}
    for split in splits:
        annotations = records.read(records.Annotations, paths.annotations(split))
        frames = FileFrames(paths.root, annotations)
        for sequence in track(annotations.sequences, f"packing {split}"):
            pack(sequence, frames, paths.packed / split)
        report[split] = {
            "sequences": len(annotations.sequences),
            "frames": sum(len(sequence.frames) for sequence in annotations.sequences),
        }
    records.write_json(report, paths.packed / "packed.json")
