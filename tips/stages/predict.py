"""Predicts the validation split with one trained model."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from tips import provenance, records
from tips.config import Evaluation, Variant
from tips.data.windows import Batch, Key, WindowSet, collate, positions, to_device
from tips.freshness import digests, prediction_code, prediction_files, settings_of
from tips.models.interfaces import PoseModel
from tips.ops import crop as crops
from tips.ops.compile import prepare_kernels
from tips.ops.integral import interval_points
from tips.ops.native import backend, kernels_of
from tips.records import (
    Annotations,
    Between,
    Detections,
    FramePoses,
    Pose,
    Predictions,
    SequencePredictions,
)
from tips.stages._progress import track
from tips.stages._study import Opened, open_study, open_windows, read_annotations
from tips.stages.train import trained_model
from tips.tensors import PoseOutput, Regressed
from tips.training.device import choose_device, keep_freed_memory, use_threads

Points = tuple[tuple[float, float], ...]


def run(
    variant: str,
    seed: int = 0,
    boxes: str = "gt",
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Writes predictions.json: poses of every labelled frame, and the synthesized poses.

    Beside it, predicted.json records what made them: code file by file, inputs, settings, machine.

    Args:
        variant: name of a file of experiments/.
        seed: of the run.
        boxes: `gt` or `detected`.
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        device: auto, cpu or cuda.
        threads: of torch on the CPU; 0: one per core.
    """
    use_threads(threads)
    keep_freed_memory()
    opened = open_study(scale, root)
    chosen = opened.study.variant(variant)
    target = choose_device(device)
    prepare_kernels(target)
    made_by = prediction_code(chosen.experiment, kernels_of(target))
    model = trained_model(opened, chosen, seed, target)
    found = predict(opened, chosen, seed, boxes, model, target)
    records.write(found, opened.paths.predictions(variant, str(seed), boxes))
    records.write_json(
        {
            "code": made_by,
            "inputs": digests(prediction_files(*opened, variant, seed, boxes)),
            "settings": settings_of(opened.study.scale.evaluation, "predict"),
            "device": target.type,
            "kernels": backend(target.type),
            **provenance.surroundings(),
            **provenance.commit_record(),
        },
        opened.paths.predicted(variant, str(seed), boxes),
    )


def predict(
    opened: Opened,
    variant: Variant,
    seed: int,
    boxes: str,
    model: PoseModel,
    device: torch.device,
    limit: int | None = None,
) -> Predictions:
    """Predicts the validation split with a model at hand; `run` records it.

    Args:
        opened: the study.
        variant: whose model it is.
        seed: of the run.
        boxes: `gt` or `detected`.
        model: in evaluation mode, on `device`.
        device: where it runs.
        limit: predicts for the first boxes only; None: for all.
    """
    annotations = read_annotations(opened.paths, "val")
    found = records.read(Detections, opened.paths.boxes(boxes))
    windows = open_windows(opened, variant, [annotations])
    keys = box_keys(annotations, found)[:limit]
    settings = opened.study.scale.evaluation
    predictor = Predictor(model, windows, settings, variant, device)
    batches_of_poses = predictor(keys)
    if limit is None:
        label = f"{variant.name} seed {seed}"
        batches_of_poses = track(batches_of_poses, label, -(-len(keys) // settings.batch))
    rows = gather(annotations, keys, [row for batch in batches_of_poses for row in batch])
    return Predictions(variant=variant.name, seed=seed, boxes=found.source, sequences=rows)


def box_keys(annotations: Annotations, detections: Detections) -> list[Key]:
    """One key per box, in file order."""
    lengths = {sequence.name: len(sequence.frames) for sequence in annotations.sequences}
    return [
        Key(
            annotations.split,
            box.sequence,
            box.frame,
            lengths[box.sequence],
            box.box,
            None,
            -1 if box.track is None else box.track,
            box.score,
        )
        for box in detections.boxes
    ]


class Found(records.Record):
    """What the model says about one box."""

    pose: Pose
    between: tuple[Between, ...]


class Predictor:
    """Runs a model over boxes and carries its poses back to image px."""

    def __init__(
        self,
        model: PoseModel,
        windows: WindowSet,
        settings: Evaluation,
        variant: Variant,
        device: torch.device,
    ) -> None:
        self.model = model
        self.windows = windows
        self.settings = settings
        self.variant = variant
        self.device = device

    def __call__(self, keys: Sequence[Key]) -> Iterator[list[Found]]:
        """Yields one list per batch."""
        for first in range(0, len(keys), self.settings.batch):
            chunk = keys[first : first + self.settings.batch]
            stacked = collate([self.windows(key) for key in chunk])
            yield self._batch(chunk, to_device(stacked, self.device))

    @torch.inference_mode()
    def _batch(self, keys: Sequence[Key], batch: Batch) -> list[Found]:
        output = self.model(*batch.window)
        seen = self._with_mirrored(output, batch) if self.settings.flip_test else output
        joints, scores = self.model.decode(seen, self.settings.decode)
        between = self._between(keys, batch, output)
        factors = [key.score if self.settings.product else 1.0 for key in keys]
        return [
            Found(
                pose=Pose(
                    track=key.track,
                    score=round(key.score, 6),
                    joints=_image_px(joints[i].cpu().numpy(), batch.affines[i]),
                    scores=tuple(round(float(s) * factors[i], 6) for s in scores[i]),
                ),
                between=between[i],
            )
            for i, key in enumerate(keys)
        ]

    def _with_mirrored(self, output: PoseOutput, batch: Batch) -> PoseOutput:
        """Averages what is predicted with that of the mirrored crops (flip test)."""
        stride = self.windows.stride
        mirrored = self.model(*(mirrored_crops(part, stride) for part in batch.window))
        back = mirrored_back(mirrored, self.windows.mirror)
        maps = (output.maps + back.maps) / 2
        if output.regressed is None or back.regressed is None:
            return output._replace(maps=maps)
        pairs = zip(output.regressed, back.regressed, strict=True)
        return output._replace(maps=maps, regressed=Regressed(*((a + b) / 2 for a, b in pairs)))

    def _between(
        self, keys: Sequence[Key], batch: Batch, output: PoseOutput
    ) -> list[tuple[Between, ...]]:
        times = interval_points(self.variant.experiment.points)
        coordinates = self.model.coordinates(output)
        if coordinates is None or not times or all(key.track < 0 for key in keys):
            return [()] * len(keys)
        R, R_interim = coordinates.R.cpu().numpy(), coordinates.R_interim.cpu().numpy()
        rows: list[tuple[Between, ...]] = []
        for i, key in enumerate(keys):
            if key.track < 0:  # a detected box belongs to nobody whose true motion is known
                rows.append(())
                continue
            frames = positions(key.frame, key.length, self.windows.window)
            ends = [_image_px(R[i, w], batch.affines[i]) for w in range(len(frames))]
            rows.append(
                tuple(
                    Between(
                        track=key.track,
                        left=left,
                        time=time,
                        joints=_image_px(R_interim[i, k, w], batch.affines[i]),
                        ends=(ends[w], ends[w + 1]),
                        padded=left == right,
                    )
                    for k, time in enumerate(times)
                    for w, (left, right) in enumerate(pairwise(frames))
                )
            )
        return rows


def mirrored_crops(images: Tensor, stride: int) -> Tensor:
    """Mirrors crops (..., W) so that their maps are the mirror images of the maps.

    A map px lies at `stride` times its index (`crop.to_map`), so that the middle of a map is not
    the middle of its crop: mirrored crops are shifted by stride - 1 px to the left. HRNet's code
    mirrors the pixels alone and then moves the maps by one px, which leaves 1 / stride px.
    """
    return nnf.pad(images.flip(-1)[..., stride - 1 :], (0, stride - 1))


def mirrored_back(output: PoseOutput, mirror: Sequence[int]) -> PoseOutput:
    """Undoes mirrored crops in what is predicted: map px w becomes W - 1 - w, sides swap.

    Args:
        output: of a model that saw `mirrored_crops`.
        mirror: id of each joint's partner.
    """
    partner = list(mirror)
    found = output._replace(maps=output.maps.flip(-1)[:, partner])
    if output.regressed is None:
        return found
    x, y = output.regressed.joints[:, partner].unbind(-1)
    joints = torch.stack([output.maps.shape[-1] - 1 - x, y], dim=-1)
    return found._replace(regressed=Regressed(joints, output.regressed.spread[:, partner]))


def _image_px(points: NDArray[np.floating], affine: NDArray[np.float64]) -> Points:
    moved = crops.transform(points.astype(np.float64), crops.invert(affine))
    return tuple((round(float(x), 3), round(float(y), 3)) for x, y in moved)


def gather(
    annotations: Annotations, keys: Sequence[Key], found: Sequence[Found]
) -> tuple[SequencePredictions, ...]:
    """Sorts the boxes' poses into sequences and frames, numbering people within each frame."""
    poses: dict[tuple[str, int], list[Pose]] = defaultdict(list)
    between: dict[str, list[Between]] = defaultdict(list)
    for key, row in zip(keys, found, strict=True):
        people = poses[key.sequence, key.frame]
        track = key.track if key.track >= 0 else len(people)
        people.append(row.pose.model_copy(update={"track": track}))
        between[key.sequence].extend(row.between)
    return tuple(
        SequencePredictions(
            name=sequence.name,
            frames=tuple(
                FramePoses(frame=position, poses=tuple(poses[sequence.name, position]))
                for position, frame in enumerate(sequence.frames)
                if frame.labelled
            ),
            between=tuple(between[sequence.name]),
        )
        for sequence in annotations.sequences
    )
