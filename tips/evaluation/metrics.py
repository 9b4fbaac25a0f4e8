"""What is kept of a measured run: metrics.json for people, evidence.npz for the tables.

Both are written once, by `evaluate`; tables, pictures, MLflow and the report read them and measure
nothing again.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from tips.config import Evaluation
from tips.evaluation import pck
from tips.evaluation.average_precision import average_precision, labelled_columns, total
from tips.evaluation.matching import Evidence
from tips.evaluation.measure import Measured, Truth
from tips.evaluation.oks import Matching, part_oks
from tips.evaluation.people import from_records
from tips.evaluation.synthesis import InBetween, synthesis_table
from tips.records import Predictions, RecordError, atomic_path, read, without_nan

BETWEEN = "between"  # starts the names of a time's arrays: between/0.5/error


class _Part(BaseModel):
    """Base of what is read back; keys that no reader needs are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PartScore(_Part):
    """OKS of one part, percent; null where nobody has it."""

    score: float | None


class Oks(_Part):
    """OKS of the seven parts, percent (Fig. 4)."""

    parts: dict[str, PartScore]
    mean: float | None


class Metrics(_Part):
    """metrics.json as tables read it; every number in percent."""

    metric: str
    total: float | None
    columns: dict[str, float | None]
    subsets: dict[str, float | None] = {}
    oks: Oks | None = None
    inputs: dict[str, str] = {}  # digests of what was measured


class Scored(NamedTuple):
    """One measured run: its numbers, and what intervals and Table S are computed from."""

    metrics: Metrics
    evidence: Evidence
    between: dict[float, InBetween]  # by time s = beta / 2


def summarize(
    predictions: Predictions, measured: Measured, truth: Truth, evaluation: Evaluation
) -> dict[str, Any]:
    """Computes the numbers of metrics.json.

    Args:
        predictions: of the run.
        measured: the same run against the truth.
        truth: the validation split.
        evaluation: says which share of a box's area OKS takes.
    """
    body = truth.dataset.body
    scores = average_precision(measured.evidence)
    found: dict[str, Any] = {
        "metric": truth.dataset.metric,
        "total": float(total(scores.ap)),
        "columns": labelled_columns(scores.ap, body),
    }
    if truth.dataset.metric == "PCK":
        both = pck.by_both_sizes(truth.annotations, predictions, body.joints)
        return without_nan(found | {"pck": {size: one._asdict() for size, one in both.items()}})
    found["joints"] = {
        name: {field: getattr(scores, field)[j].item() for field in scores._fields}
        for j, name in enumerate(body.joints)
    }
    found["oks"] = _oks(predictions, truth, evaluation)
    found["subsets"] = measured.subsets
    found["synthesis"] = {
        f"{time:g}": [row._asdict() for row in synthesis_table(samples)]
        for time, samples in measured.between.items()
    }
    return without_nan(found)


def _oks(predictions: Predictions, truth: Truth, evaluation: Evaluation) -> dict[str, Any]:
    matching: Matching = "track" if predictions.boxes == "gt" else "best"
    clips = from_records(truth.annotations, predictions)
    oks = part_oks(clips, matching=matching, area_factor=evaluation.oks_area)
    return {
        "parts": {name: part._asdict() for name, part in oks.parts.items()},
        "mean": oks.mean,
        "mean_by_joint": oks.mean_by_joint,
        "area_factor": oks.area_factor,
        "matching": oks.matching,
    }


def write_evidence(measured: Measured, file: Path) -> None:
    """Writes what was matched, and the errors between frames; equal runs give equal bytes."""
    arrays = {name: np.asarray(value) for name, value in measured.evidence._asdict().items()}
    for time, samples in measured.between.items():
        arrays |= {f"{BETWEEN}/{time:g}/{k}": v for k, v in samples._asdict().items()}
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_scored(metrics: Path, evidence: Path) -> Scored:
    """Reads a measured run. Raises RecordError where either file is missing or damaged."""
    found = read(Metrics, metrics)
    try:
        with evidence.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return Scored(found, _evidence(arrays), _between(arrays))
    except FileNotFoundError as error:
        raise RecordError(f"{evidence}: no such file; run the rule that makes it") from error
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise RecordError(f"{evidence}: damaged ({error}); delete it and run again") from error


def _evidence(arrays: Mapping[str, Any]) -> Evidence:
    kept = {name: arrays[name] for name in Evidence._fields}
    texts = {name: tuple(kept[name].tolist()) for name in ("names", "strata")}
    return Evidence(**(kept | texts | {"rule": kept["rule"].item()}))


def _between(arrays: Mapping[str, Any]) -> dict[float, InBetween]:
    times = {name.split("/")[1] for name in arrays if name.startswith(f"{BETWEEN}/")}
    return {
        float(time): InBetween(*(arrays[f"{BETWEEN}/{time}/{k}"] for k in InBetween._fields))
        for time in sorted(times, key=float)
    }
