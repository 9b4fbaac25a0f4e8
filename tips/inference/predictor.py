"""Predicts the poses of boxes: crops, runs the model, and maps joints back to image px."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from tips.config import Evaluation, Variant
from tips.data.augment import NONE
from tips.data.windows import Batch, WindowSet, collate, positions, to_device
from tips.features.seen import SeenWindows
from tips.instances import Found, Key
from tips.models.interfaces import PoseModel, SecondStage
from tips.ops import crop as crops
from tips.ops.integral import interval_points
from tips.records import Between, Pose
from tips.tensors import PoseOutput, Regressed, Seen


class PredictionError(ValueError):
    """A network whose answers are no poses."""


class _Estimate(NamedTuple):
    """What a model says of a batch of boxes."""

    output: PoseOutput
    affines: NDArray[np.float64]  # (B, 2, 3) image px -> map px
    seen: Seen | None = None  # what its frozen backbone saw, if it has one
    mirrored: PoseOutput | None = None  # the mean with the mirrored crops (flip test)


class Predictor:
    """Runs a model on boxes and maps its poses back to image px.

    Args:
        model: the model, in evaluation mode, on `device`.
        windows: cuts the window of frames around a box.
        settings: how poses are decoded and scored, and the number of boxes per batch.
        variant: the variant of the model, for the times of its synthesized poses.
        device: the device of the model.
        seen: what the backbone sees in the windows of all boxes, in their order; None: the model
            runs its backbone itself. It excludes the flip test, which needs the pictures.
    """

    def __init__(
        self,
        model: PoseModel,
        windows: WindowSet,
        settings: Evaluation,
        variant: Variant,
        device: torch.device,
        seen: SeenWindows | None = None,
    ) -> None:
        assert seen is None or not settings.flip_test
        self.model = model
        self.windows = windows
        self.settings = settings
        self.variant = variant
        self.device = device
        self.seen = seen

    def __call__(self, keys: Sequence[Key]) -> Iterator[list[Found]]:
        """Yields the poses of the boxes, one list per batch.

        Raises:
            PredictionError: if the network gives numbers that are not finite.
        """
        for first in range(0, len(keys), self.settings.batch):
            chunk = keys[first : first + self.settings.batch]
            with torch.inference_mode():
                yield self._found(chunk, self._estimated(chunk, first))

    def _estimated(self, keys: Sequence[Key], first: int) -> _Estimate:
        """Runs the model on the boxes from number `first` on."""
        if self.seen is not None:
            F, F_rough, _ = self.seen(range(first, first + len(keys)))
            seen = Seen(F.to(self.device), F_rough.to(self.device))
            affines = self.windows.labels(*((key, NONE) for key in keys)).affine
            return self._of(seen, affines)
        batch = to_device(collate([self.windows(key) for key in keys]), self.device)
        if isinstance(self.model, SecondStage):
            one = self._of(self.model.look(*batch.window), batch.affines)
        else:
            one = _Estimate(self.model(*batch.window), batch.affines)
        if not self.settings.flip_test:
            return one
        return one._replace(mirrored=self._with_mirrored(one.output, batch))

    def _of(self, seen: Seen, affines: NDArray[np.float64]) -> _Estimate:
        assert isinstance(self.model, SecondStage)
        return _Estimate(self.model.estimate(seen), affines, seen)

    def _found(self, keys: Sequence[Key], one: _Estimate) -> list[Found]:
        output, affines = one.output, one.affines
        joints, scores = self.model.decode(one.mirrored or output, self.settings.decode)
        between = self._between(keys, one)
        certain = _finite(scores.cpu().numpy())
        factors = [key.score if self.settings.product else 1.0 for key in keys]
        return [
            Found(
                pose=Pose(
                    track=key.track,
                    score=round(key.score, 6),
                    joints=_image_px(joints[i].cpu().numpy(), affines[i]),
                    scores=tuple(round(float(s) * factors[i], 6) for s in certain[i]),
                ),
                between=between[i],
            )
            for i, key in enumerate(keys)
        ]

    def _with_mirrored(self, output: PoseOutput, batch: Batch) -> PoseOutput:
        """Averages the prediction with that for the mirrored crops (flip test)."""
        stride = self.windows.stride
        mirrored = self.model(*(mirrored_crops(part, stride) for part in batch.window))
        back = mirrored_back(mirrored, self.windows.mirror)
        maps = (output.maps + back.maps) / 2
        if output.regressed is None or back.regressed is None:
            return output._replace(maps=maps)
        pairs = zip(output.regressed, back.regressed, strict=True)
        return output._replace(maps=maps, regressed=Regressed(*((a + b) / 2 for a, b in pairs)))

    def _between(self, keys: Sequence[Key], one: _Estimate) -> list[tuple[Between, ...]]:
        times = interval_points(self.variant.experiment.points)
        affines = one.affines
        coordinates = self.model.coordinates(one.output)
        if coordinates is None or not times or all(key.track < 0 for key in keys):
            return [()] * len(keys)
        R, R_interim = coordinates.R.cpu().numpy(), coordinates.R_interim.cpu().numpy()
        rough = self._rough(one)
        rows: list[tuple[Between, ...]] = []
        for i, key in enumerate(keys):
            if key.track < 0:  # the true motion in a detected box is unknown
                rows.append(())
                continue
            frames = positions(key.frame, key.length, self.windows.window)
            ends, made, read = (_image_px(part[i], affines[i]) for part in (R, R_interim, rough))
            rows.append(
                tuple(
                    Between(
                        track=key.track,
                        left=left,
                        time=time,
                        joints=made[k][w],
                        ends=(ends[w], ends[w + 1]),
                        rough=read[w] if read else (),
                        padded=left == right,
                    )
                    for k, time in enumerate(times)
                    for w, (left, right) in enumerate(pairwise(frames))
                )
            )
        return rows

    def _rough(self, one: _Estimate) -> NDArray[np.floating]:
        """Reads a pose from each interim frame of each box (B, I, J, 2), map px; none without."""
        assert one.seen is not None
        assert isinstance(self.model, SecondStage)
        return self.model.rough_coordinates(one.seen).cpu().numpy()


def mirrored_crops(images: Tensor, stride: int) -> Tensor:
    """Mirrors crops (..., W) so that the model's maps become mirror images, too.

    The map px of index i lies at the crop px of index `stride` * i (`crop.to_map`), so that the
    middle of a map is not the middle of its crop. So mirrored crops are shifted to the left by
    stride - 1 px. HRNet's code mirrors the pixels alone and then moves the maps by one px, which
    leaves an error of 1 / stride map px.
    """
    return nnf.pad(images.flip(-1)[..., stride - 1 :], (0, stride - 1))


def mirrored_back(output: PoseOutput, mirror: Sequence[int]) -> PoseOutput:
    """Mirrors predictions for mirrored crops back: map px w becomes W - 1 - w, sides swap.

    Args:
        output: the output of a model for `mirrored_crops`.
        mirror: for every joint the index of its partner on the other side of the body.
    """
    partner = list(mirror)
    found = output._replace(maps=output.maps.flip(-1)[:, partner])
    if output.regressed is None:
        return found
    x, y = output.regressed.joints[:, partner].unbind(-1)
    joints = torch.stack([output.maps.shape[-1] - 1 - x, y], dim=-1)
    return found._replace(regressed=Regressed(joints, output.regressed.spread[:, partner]))


def _image_px(points: NDArray[np.floating], affine: NDArray[np.float64]) -> Any:
    """Moves points (..., 2) from map px to image px; gives nested lists, rounded to 0.001 px."""
    moved = crops.transform(points.astype(np.float64), crops.invert(affine))
    return np.round(_finite(moved), 3).tolist()


def _finite(values: NDArray[np.floating]) -> NDArray[np.floating]:
    if not np.isfinite(values).all():
        raise PredictionError(
            "the network gives numbers that are not finite; its weights are no trained ones, so "
            "train it again or take another run"
        )
    return values
