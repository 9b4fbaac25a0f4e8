"""The files of a measured run: metrics.json for people to read, evidence.npz for the tables.

The stage `evaluate` writes both once, and the stage `guest` those of a guest. Tables, pictures,
MLflow and the report read them and measure nothing again.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tips import skeleton
from tips.evaluation import pck
from tips.evaluation.average_precision import average_precision, labelled_columns, total
from tips.evaluation.matching import Evidence
from tips.evaluation.measure import Measured, Truth
from tips.evaluation.oks import OksResult, PartSums
from tips.evaluation.synthesis import InBetween, synthesis_table
from tips.provenance import file_digest
from tips.records import Predictions, RecordError, atomic_path, read, without_nan

OKS = "oks"  # starts the names of arrays of PartSums
BETWEEN = "between"  # starts the names of arrays of synthesized poses, such as between/0.5/error
ROUNDING: Final = 1e-6  # percent by which sums of another machine may differ
Percent = Annotated[float, Field(strict=True, ge=0, le=100 + ROUNDING, allow_inf_nan=False)]


class _Part(BaseModel):
    """Base of what is read from metrics.json; keys that no reader needs are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PartScore(_Part):
    """OKS of one part, percent; null if nobody has the part."""

    score: Percent | None


class Oks(_Part):
    """OKS of the seven parts, percent (Fig. 4)."""

    parts: dict[str, PartScore]
    mean: Percent | None


class Metrics(_Part):
    """The part of metrics.json that tables read; every number is in percent."""

    metric: str
    total: Percent | None
    columns: dict[str, Percent | None]
    subsets: dict[str, Percent | None] = {}
    oks: Oks | None = None
    variant: str
    seed: int
    boxes: str
    inputs: dict[str, str] = {}  # digests of what was measured
    evidence: str  # digest of the file with the evidence

    @model_validator(mode="after")
    def _whole(self) -> "Metrics":
        parts = [self.columns] + ([self.oks.parts] if self.oks else [])
        lost = [name for name in skeleton.COLUMNS for part in parts if name not in part]
        if lost:
            raise ValueError(f"no column '{lost[0]}'")
        return self


class Scored(NamedTuple):
    """One measured run: its scores, and what intervals and Table S are computed from."""

    metrics: Metrics
    evidence: Evidence
    between: dict[float, InBetween]  # errors of synthesized poses, by time s = beta / 2
    oks: PartSums | None = None  # None if the dataset's metric is PCK


def summarize(predictions: Predictions, measured: Measured, truth: Truth) -> dict[str, Any]:
    """Computes the numbers of metrics.json.

    Args:
        predictions: predictions of the run.
        measured: the same run, compared with the truth.
        truth: the validation split.
    """
    body = truth.dataset.body
    scores = average_precision(measured.evidence)
    found: dict[str, Any] = {
        "metric": truth.dataset.metric,
        "total": float(total(scores.ap)),
        "columns": labelled_columns(scores.ap, body),
    }
    if measured.oks is None:
        both = pck.by_both_sizes(truth.annotations, predictions, body.joints)
        return without_nan(found | {"pck": {size: one._asdict() for size, one in both.items()}})
    found["joints"] = {
        name: {field: getattr(scores, field)[j].item() for field in scores._fields}
        for j, name in enumerate(body.joints)
    }
    found["oks"] = _oks(measured.oks)
    found["subsets"] = measured.subsets
    found["synthesis"] = {
        f"{time:g}": [row._asdict() for row in synthesis_table(samples)]
        for time, samples in measured.between.items()
    }
    return without_nan(found)


def _oks(oks: OksResult) -> dict[str, Any]:
    return {
        "parts": {name: part._asdict() for name, part in oks.parts.items()},
        "mean": oks.mean,
        "mean_by_joint": oks.mean_by_joint,
        "area_factor": oks.area_factor,
        "matching": oks.matching,
    }


def write_evidence(measured: Measured, file: Path) -> None:
    """Writes the evidence, errors of synthesized poses and sums of OKS; equal runs, equal bytes."""
    arrays = {name: np.asarray(value) for name, value in measured.evidence._asdict().items()}
    for time, samples in measured.between.items():
        arrays |= {
            f"{BETWEEN}/{time:g}/{k}": v.astype(np.float32) for k, v in samples._asdict().items()
        }
    if measured.oks is not None:
        arrays |= {f"{OKS}/{k}": v for k, v in measured.oks.sums._asdict().items()}
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_scored(metrics: Path, evidence: Path) -> Scored:
    """Reads a measured run. Raises RecordError if either file is missing or damaged."""
    found = read(Metrics, metrics)
    if file_digest(evidence, "run the rule that makes it") != found.evidence:
        raise RecordError(f"{evidence}: not what {metrics.name} was computed from; run again")
    try:
        with evidence.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        scored = Scored(found, _evidence(arrays), _between(arrays), _part_sums(arrays))
        measured = float(total(average_precision(scored.evidence).ap))
    except (OSError, ValueError, LookupError, EOFError, TypeError, AttributeError) as error:
        raise RecordError(f"{evidence}: damaged ({error}); delete it and run again") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(f"{evidence}: damaged ({error}); delete it and run again") from error
    said = np.nan if found.total is None else found.total
    if not np.isclose(said, measured, rtol=0, atol=ROUNDING, equal_nan=True):
        raise RecordError(
            f"{metrics}: total {found.total}, where {evidence.name} gives {measured:.4f}; "
            "delete the file and run again"
        )
    return scored


def _evidence(arrays: Mapping[str, Any]) -> Evidence:
    kept = {name: arrays[name] for name in Evidence._fields}
    texts = {name: tuple(kept[name].tolist()) for name in ("names", "strata")}
    return Evidence(**(kept | texts | {"rule": kept["rule"].item()}))


def _between(arrays: Mapping[str, Any]) -> dict[float, InBetween]:
    times = {name.split("/")[1] for name in arrays if name.startswith(f"{BETWEEN}/")}
    return {
        float(time): InBetween(
            *(arrays[f"{BETWEEN}/{time}/{k}"].astype(np.float64) for k in InBetween._fields)
        )
        for time in sorted(times, key=float)
    }


def _part_sums(arrays: Mapping[str, Any]) -> PartSums | None:
    if not any(name.startswith(f"{OKS}/") for name in arrays):
        return None
    return PartSums(*(arrays[f"{OKS}/{k}"] for k in PartSums._fields))
