"""Predictions of one run -> metrics.json."""

from pathlib import Path
from typing import Any

from tips import records
from tips.config import Evaluation, load_study
from tips.evaluation import pck
from tips.evaluation.average_precision import average_precision, labelled_columns, total
from tips.evaluation.oks import Matching, part_oks
from tips.evaluation.people import from_records
from tips.evaluation.synthesis import synthesis_table
from tips.freshness import computing_code, digests, evaluation_files, settings_of
from tips.paths import study_paths
from tips.records import Predictions
from tips.reporting.measure import Truth, load_truth, measure


def run(variant: str, seed: int, boxes: str = "gt", scale: str = "desk", root: str = "") -> None:
    """Scores one run; the file holds no time and no path, and says what made its numbers.

    Writes the benchmark's own metric per joint, its seven columns and its total: AP with precision,
    recall and counts by PoseTrack's rules, or JHMDB's PCK. Beside AP stand part OKS (Fig. 4), AP on
    clean and degraded frames and on hidden joints, and the error of synthesized poses by time
    (Table S); the last two need the true motion that only a rendered dataset has and are empty
    elsewhere. Beside PCK stand its three averages by box and by torso.

    Args:
        variant: file stem of the experiment.
        seed: of the run.
        boxes: gt or detected.
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.

    Raises:
        RecordError: predictions, annotations or truth are missing or malformed.
    """
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    truth = load_truth(study, paths)
    body = truth.dataset.body
    predictions = records.read(Predictions, paths.predictions(variant, str(seed), boxes))
    measured = measure(predictions, truth)
    scores = average_precision(measured.evidence)
    metrics: dict[str, Any] = {
        "variant": variant,
        "seed": seed,
        "boxes": boxes,
        "metric": truth.dataset.metric,
        "total": float(total(scores.ap)),
        "columns": labelled_columns(scores.ap, body),
    }
    if truth.dataset.metric == "PCK":
        both = pck.by_both_sizes(truth.annotations, predictions, body.joints)
        metrics["pck"] = {size: found._asdict() for size, found in both.items()}
    else:
        metrics["joints"] = {
            name: {field: getattr(scores, field)[j].item() for field in scores._fields}
            for j, name in enumerate(body.joints)
        }
        metrics["oks"] = _oks(predictions, truth, study.scale.evaluation)
        metrics["subsets"] = measured.subsets
        metrics["synthesis"] = {
            f"{time:g}": [row._asdict() for row in synthesis_table(samples)]
            for time, samples in measured.between.items()
        }
    metrics["code"] = computing_code("evaluate")
    metrics["inputs"] = digests(evaluation_files(paths, variant, seed, boxes))
    metrics["settings"] = settings_of(study.scale.evaluation, "evaluate")
    out = paths.metrics(variant, str(seed), boxes)
    records.write_json(records.without_nan(metrics), out)


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
