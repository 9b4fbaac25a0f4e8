"""Opens a finished run by its folder alone, wherever that is: model, configuration, decoding."""

import logging
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from tips import skeleton
from tips.config import Evaluation, Experiment, Parts, Variant, load_scale, read_experiment
from tips.inference.loading import load_trained
from tips.interim.vfit.settings import Settings as Vfit
from tips.models.interfaces import PoseModel
from tips.provenance import PACKAGE, file_digest
from tips.records import RecordError, first_problem, read_json
from tips.training.finished import CHECKPOINT, INTERPOLATOR, RECORD

log = logging.getLogger(__name__)


class TrainedRun(NamedTuple):
    """What is needed of a run for predicting."""

    variant: Variant
    model: PoseModel
    evaluation: Evaluation
    interpolator: Vfit | None = None  # the network behind interim frames of kind `vfit`


class _Interpolator(BaseModel):
    size: Literal["base", "small", "tiny"]
    weights: str
    sha256: str

    @field_validator("weights")
    @classmethod
    def _in_the_folder(cls, weights: str) -> str:
        if weights != INTERPOLATOR:
            raise ValueError(f"must be {INTERPOLATOR}, the file in the run's own folder")
        return weights


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore")
    variant: str
    config: Annotated[Experiment, PlainValidator(read_experiment)]
    # Older runs do not record these four.
    joints: tuple[str, ...] = skeleton.JOINTS
    groups: Parts | None = None
    evaluation: Evaluation | None = None
    interpolator: _Interpolator | None = None
    checkpoint_sha256: str | None = None

    @field_validator("groups")
    @classmethod
    def _partition(cls, groups: Parts | None) -> Parts | None:
        if groups and (not all(groups) or sorted(chain(*groups)) != list(range(skeleton.COUNT))):
            raise ValueError(f"must hold each of the joints 0 to {skeleton.COUNT - 1} once")
        return groups


_RECORD: TypeAdapter[_Record] = TypeAdapter(_Record)


def find_run(folder: Path) -> None:
    """Looks for the files of a run. Raises RecordError if one of them is not there."""
    for name in (CHECKPOINT, RECORD):
        if not (folder / name).is_file():
            raise RecordError(
                f"{folder}: no {name} in it; --checkpoint takes the folder of a trained run, "
                "results/.../runs/DATASET/VARIANT/seed-N"
            )


def open_run(folder: Path, device: torch.device) -> TrainedRun:
    """Loads a run of PoseTrack's joints from its checkpoint.pt and provenance.json.

    Raises:
        RecordError: the folder is not that of a run, or its run has other joints, or one of its
            files is damaged.
    """
    find_run(folder)
    record = _read(folder / RECORD, read_json(folder / RECORD))
    if record.joints != skeleton.JOINTS:
        raise RecordError(
            f"{folder}: trained on other joints ({', '.join(record.joints[:3])}, ...), which "
            "PoseTrack's json cannot hold; give a run of a PoseTrack scale"
        )
    groups = record.groups
    if groups is None:
        groups = record.config.groups()
    checkpoint = folder / CHECKPOINT
    model = load_trained(record.config, groups, checkpoint, device)
    if record.checkpoint_sha256 not in (None, file_digest(checkpoint)):
        raise RecordError(
            f"{checkpoint}: not the weights that {RECORD} tells of (sha256); copy the whole folder "
            "again"
        )
    variant = Variant(record.variant, "run", record.config, 1)
    evaluation = record.evaluation or _as_the_paper(folder)
    return TrainedRun(variant, model, evaluation, _kept(record.interpolator, folder))


def _kept(interpolator: _Interpolator | None, folder: Path) -> Vfit | None:
    if interpolator is None:
        return None
    path = folder / interpolator.weights
    if path.is_file() and file_digest(path) != interpolator.sha256:
        raise RecordError(
            f"{path}: not the network that the run's interim frames are from; copy the whole "
            "folder again"
        )
    return Vfit(size=interpolator.size, weights=str(path))


def _read(path: Path, value: Any) -> _Record:
    try:
        return _RECORD.validate_python(value)
    except ValidationError as error:
        raise RecordError(
            f"{path}: {first_problem(error)}; it must be the record of a training by this version"
        ) from error


def _as_the_paper(folder: Path) -> Evaluation:
    log.warning("%s does not say how its poses are decoded: taken as at the paper's scale", folder)
    return load_scale("paper", PACKAGE.parent / "experiments", root=".").evaluation
