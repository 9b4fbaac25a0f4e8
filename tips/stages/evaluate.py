"""Measures the predictions of one run: writes metrics.json and evidence.npz."""

from pathlib import Path

from tips import records
from tips.config import load_study
from tips.evaluation.measure import load_truth, measure
from tips.evaluation.metrics import summarize, write_evidence
from tips.freshness import computing_code, digests, evaluation_files, settings_of
from tips.paths import judge_boxes, study_paths
from tips.provenance import file_digest
from tips.records import Predictions


def run(variant: str, seed: int, boxes: str = "gt", scale: str = "desk", root: str = "") -> None:
    """Measures one run, once: all tables are made from the files that this stage writes.

    metrics.json holds the benchmark's own metric per joint, its seven columns and its total: AP
    with precision, recall and counts by PoseTrack's rules, or JHMDB's PCK. Beside AP stand part OKS
    (Fig. 4), AP on clean and degraded frames and on hidden joints, and the error of synthesized
    poses by time (Table S); the last two need the true motion that only a rendered dataset has and
    are empty elsewhere. Beside PCK stand its three averages by box and by torso. The file holds no
    time and no path, and says what made its numbers.

    evidence.npz holds which predictions were matched with which people, and sums of part OKS by
    sequence; the tables compute their intervals by resampling from it.

    Args:
        variant: Names the variant, a file of experiments/.
        seed: Names the run of the variant by its seed.
        boxes: Takes people's boxes from the annotations (gt) or from a detector (detected).
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        RecordError: predictions, annotations or truth are missing or malformed.
    """
    judge_boxes(boxes)
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    truth = load_truth(study, paths)
    predictions = records.read(Predictions, paths.predictions(variant, str(seed), boxes))
    measured = measure(predictions, truth, study.scale.evaluation)
    metrics = summarize(predictions, measured, truth)
    made_by = {
        "variant": variant,
        "seed": seed,
        "boxes": boxes,
        "code": computing_code("evaluate"),
        "inputs": digests(evaluation_files(paths, variant, seed, boxes)),
        "settings": settings_of(study.scale.evaluation, "evaluate"),
    }
    evidence = paths.evidence(variant, str(seed), boxes)
    write_evidence(measured, evidence)
    made_by["evidence"] = file_digest(evidence, "evaluate again")
    records.write_json(metrics | made_by, paths.metrics(variant, str(seed), boxes))
