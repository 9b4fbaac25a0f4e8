"""Writes one run's predictions as PoseTrack17's or 18's json, which poseval itself reads."""

from pathlib import Path

from tips import records, skeleton
from tips.config import ConfigError, load_study
from tips.evaluation.poseval_files import Style, write_found, write_truth
from tips.paths import judge_boxes, study_paths

STYLES: dict[str, Style] = {"17": 17, "18": 18}


def run(
    variant: str,
    seed: int,
    boxes: str = "gt",
    style: str = "18",
    out: Path | None = None,
    scale: str = "desk",
    root: str = "",
) -> None:
    """Writes folders `truth` and `predictions`, a file per sequence, for any PoseTrack evaluator.

    `tips evaluate OUT/truth OUT/predictions` prints the numbers of the run's metrics.json.

    Args:
        variant: Names the variant, a file of experiments/.
        seed: Names the run of the variant by its seed.
        boxes: Takes people's boxes from the annotations (gt) or from a detector (detected).
        style: Writes the form of PoseTrack 17 (annolist) or 18 (images, annotations, categories).
        out: Writes into this folder; without it, beside the predictions.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        ConfigError: no such style, or the dataset has other joints than PoseTrack's.
        RecordError: predictions or annotations are missing or malformed.
    """
    if style not in STYLES:
        raise ConfigError(f"--style must be 17 or 18; got {style!r}")
    judge_boxes(boxes)
    settings = load_study(scale, Path("experiments"), root or None).scale
    if settings.dataset.body is not skeleton.POSETRACK:
        raise ConfigError(f"scale '{scale}' has other joints than PoseTrack's files hold")
    paths = study_paths(settings)
    annotations = records.read(records.Annotations, paths.annotations("val"))
    file = paths.predictions(variant, str(seed), boxes)
    predictions = records.read(records.Predictions, file)
    folder = file.parent / f"posetrack{style}" if out is None else out
    write_truth(annotations, folder / "truth", STYLES[style])
    write_found(predictions, annotations, folder / "predictions", STYLES[style])
    print(f"tips evaluate {folder / 'truth'} {folder / 'predictions'}")
