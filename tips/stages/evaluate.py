"""Predictions of one run -> metrics.json."""

from pathlib import Path
from typing import Any

from tips import records, skeleton
from tips.config import load_study
from tips.evaluation.average_precision import average_precision, labelled_columns, total
from tips.evaluation.oks import Matching, part_oks
from tips.evaluation.people import from_records
from tips.evaluation.synthesis import synthesis_table
from tips.paths import study_paths
from tips.reporting.measure import load_truth, measure


def run(variant: str, seed: int, boxes: str = "gt", scale: str = "desk", root: str = "") -> None:
    """Scores one run; the file holds no time and no path.

    Writes AP per joint with precision, recall and counts, the seven columns and the total
    (PoseTrack's rules), part OKS (Fig. 4), AP on clean and degraded frames and on hidden joints,
    and the error of synthesized poses by time (Table S). The last two need the true motion that
    only a rendered dataset has; they are empty elsewhere.

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
    predictions = records.read(records.Predictions, paths.predictions(variant, str(seed), boxes))
    measured = measure(predictions, truth)
    scores = average_precision(measured.evidence)
    matching: Matching = "track" if boxes == "gt" else "best"
    oks = part_oks(
        from_records(truth.annotations, predictions),
        matching=matching,
        area_factor=study.scale.evaluation.oks_area,
    )
    metrics: dict[str, Any] = {
        "variant": variant,
        "seed": seed,
        "boxes": boxes,
        "total": float(total(scores.ap)),
        "columns": labelled_columns(scores.ap),
        "joints": {
            name: {field: getattr(scores, field)[j].item() for field in scores._fields}
            for j, name in enumerate(skeleton.JOINTS)
        },
        "oks": {
            "parts": {name: part._asdict() for name, part in oks.parts.items()},
            "mean": oks.mean,
            "mean_by_joint": oks.mean_by_joint,
            "area_factor": oks.area_factor,
            "matching": oks.matching,
        },
        "subsets": measured.subsets,
        "synthesis": {
            f"{time:g}": [row._asdict() for row in synthesis_table(samples)]
            for time, samples in measured.between.items()
        },
    }
    out = paths.metrics(variant, str(seed), boxes)
    records.write_json(records.without_nan(metrics), out)
