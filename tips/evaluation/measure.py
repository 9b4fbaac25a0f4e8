"""Compares one run with the truth; every table takes its scores from the result."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tips import records
from tips.config import Dataset, Evaluation, Study
from tips.evaluation import pck, synthesis, true_motion
from tips.evaluation.average_precision import (
    Subset,
    average_precision,
    subset,
    total,
    without_false_alarms,
)
from tips.evaluation.matching import Evidence, match
from tips.evaluation.oks import Matching, OksResult, part_oks
from tips.evaluation.people import Clip, from_records
from tips.evaluation.synthesis import InBetween
from tips.evaluation.true_motion import TrueMotion
from tips.paths import Paths
from tips.records import Annotations, Predictions

SUBSETS = ("clean", "degraded", "hidden")


class Truth(NamedTuple):
    """The validation split: labels, people's sizes, and the true motion if it was rendered."""

    dataset: Dataset
    annotations: Annotations
    scales: synthesis.Scales
    motion: Mapping[str, TrueMotion] | None


class Measured(NamedTuple):
    """One run: the evidence of its AP, AP on subsets, errors of its synthesized poses, part OKS."""

    evidence: Evidence
    subsets: dict[str, float]  # AP on each of SUBSETS, percent; empty without true motion
    between: dict[float, InBetween]  # errors of synthesized poses, by time s = beta / 2
    oks: OksResult | None = None  # part OKS (Fig. 4); None if the dataset's metric is PCK


def truth_folder(paths: Paths) -> Path:
    """Names the folder of the embedded dataset's truth files."""
    return paths.root / "truth" / "val"


def load_truth(study: Study, paths: Paths) -> Truth:
    """Reads the validation split. Raises RecordError if a file is missing or malformed."""
    annotations = records.read(Annotations, paths.annotations("val"))
    evaluation = study.scale.evaluation
    crop = next(iter(study.variants.values())).experiment.crop
    height = partial(
        synthesis.crop_height, aspect=crop.width / crop.height, padding=evaluation.enlarge
    )
    motion = None
    if truth_folder(paths).is_dir():
        motion = {
            sequence.name: true_motion.read_true_motion(
                truth_folder(paths) / f"{sequence.name}.json"
            )
            for sequence in annotations.sequences
        }
    return Truth(
        study.scale.dataset, annotations, synthesis.person_scales(annotations, height), motion
    )


def measure(predictions: Predictions, truth: Truth, evaluation: Evaluation) -> Measured:
    """Compares one run with the truth.

    Args:
        predictions: predictions of the run.
        truth: the validation split.
        evaluation: says which share of a box is a person's area in OKS.

    Raises:
        RecordError: predictions and truth do not fit together.
    """
    if truth.dataset.metric == "PCK":
        people = from_records(truth.annotations, predictions, unit="box")
        return Measured(without_false_alarms(match(people, pck.THRESHOLD)), {}, {})
    clips = from_records(truth.annotations, predictions)
    evidence = match(clips)
    # A detected box belongs to no annotated person, so nobody knows the true joints to its poses.
    known = predictions.boxes == "gt"
    matching: Matching = "track" if known else "best"
    oks = part_oks(clips, matching=matching, area_factor=evaluation.oks_area)
    if truth.motion is None:
        return Measured(evidence, {}, {}, oks)
    chosen = _chosen(clips, truth.motion)
    return Measured(
        evidence,
        {
            name: float(total(average_precision(subset(evidence, part)).ap))
            for name, part in chosen.items()
        },
        _between(predictions, truth, truth.motion) if known else {},
        oks,
    )


def _chosen(clips: tuple[Clip, ...], motion: Mapping[str, TrueMotion]) -> dict[str, Subset]:
    return {
        "clean": true_motion.clean_frames(clips, motion),
        "degraded": true_motion.degraded_frames(clips, motion),
        "hidden": true_motion.hidden_joints(clips, motion),
    }


def _between(
    predictions: Predictions, truth: Truth, motion: Mapping[str, TrueMotion]
) -> dict[float, InBetween]:
    times = sorted({item.time for part in predictions.sequences for item in part.between})
    return {
        time: synthesis.in_between_errors(_at(predictions, time), motion, truth.scales)
        for time in times
    }


def _at(predictions: Predictions, time: float) -> Predictions:
    """Copies the predictions with the synthesized poses of one time only."""
    sequences = tuple(
        part.model_copy(update={"between": tuple(b for b in part.between if b.time == time)})
        for part in predictions.sequences
    )
    return predictions.model_copy(update={"sequences": sequences})
