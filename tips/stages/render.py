"""Renders one shard of a split of the embedded dataset in PoseTrack18's on-disk format."""

import shutil
from pathlib import Path

import cv2
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tips.config.embedded import Embedded, Split, load_embedded
from tips.mocap.body import load_bank
from tips.mocap.motion import read_clips
from tips.mocap.render import Renderer
from tips.mocap.write import World, sequence_index, write_sequence
from tips.progress import track
from tips.records import write_json
from tips.temporaries import visible

FOLDERS = ("images", "between", "annotations", "truth")


def run(
    split: Split,
    shard: int,
    out: Path,
    root: Path,
    bodies: Path,
    motions: Path = Path("results/assets/motions"),
    settings: Path | None = None,
) -> None:
    """Renders the sequences i of a split with i % shards == shard.

    The record OUT is written last; a shard that was killed is rendered again. A sequence depends
    only on (seed, split, i), so that neither the number of shards nor their order changes a byte.

    Args:
        split: Renders sequences of this split: train, val or stills.
        shard: Renders the shard of this number, counted from 0.
        out: Writes the record of the shard here: name, sha256 and counts of each sequence.
        root: Writes the sequences into this dataset folder.
        bodies: Reads the bodies from this file, which `tips stage bodies` wrote.
        motions: Reads the motion clips from this folder.
        settings: Reads the dataset's settings from this YAML or JSON file; without it, those of the
            desk scale are taken.

    Raises:
        ValueError: settings, clips or bank that cannot be used, or no such shard.
    """
    chosen = load_embedded(settings)
    shards = chosen.shards[split]
    if not 0 <= shard < shards:
        raise ValueError(f"shard must lie in 0..{shards - 1} (shards.{split} = {shards})")
    cv2.setNumThreads(1)  # the shards run side by side, each in one thread
    clips = read_clips(motions, chosen.motions(split))
    world = World(chosen, clips, Renderer(chosen, load_bank(bodies)))
    _drop_stale(chosen, split, shard, root)
    todo = range(shard, chosen.sequences(split), shards)
    label = f"render {split} {shard + 1}/{shards}"
    with threadpool_limits(1):
        entries = [write_sequence(world, split, index, root) for index in track(todo, label)]
    write_json({"split": split, "shard": shard, "shards": shards, "sequences": entries}, out)


def _drop_stale(settings: Embedded, split: Split, shard: int, root: Path) -> None:
    """Removes sequences of this shard that an earlier, larger data set left behind."""
    for folder in FOLDERS:
        for path in visible(root / folder / split, "*_mpii_*"):
            index = sequence_index(split, path.stem)
            if index < settings.sequences(split) or index % settings.shards[split] != shard:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
