"""Computes the numbers by which the difficulty of a rendered dataset is chosen."""

from pathlib import Path

from pydantic import ValidationError

from tips.config import BACKBONE, COPY, ConfigError, ContractNumbers, load_study
from tips.evaluation.metrics import Metrics
from tips.paths import study_paths
from tips.records import RecordError, first_problem, read, write_json


def run(scale: str, root: str = "") -> None:
    """Writes contract.json: what a scale file's `contract` says of one data seed.

    It looks at the single-frame backbone and at the untrained control that copies, never at a
    variant. It says so if a number is out of its range.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        ConfigError: the dataset is not rendered.
        RecordError: the backbone or the control is not measured yet.
    """
    study = load_study(scale, Path("experiments"), root or None)
    embedded, paths = study.scale.dataset.embedded, study_paths(study.scale)
    if embedded is None:
        raise ConfigError(f"scale {scale}: only rendered data has a contract")
    total, low, high = _scores(paths.metrics(BACKBONE, "0", "gt"))
    copied = _scores(paths.metrics(COPY, "0", "gt"))[1]
    numbers = {
        "single_frame_ap": round(total, 2),
        "head_room": round(high - low, 2),
        "copy_share": round((copied - low) / (high - low), 3),
    }
    write_json({"data_seed": embedded.seed, **numbers}, paths.contract)
    print(f"{embedded.seed}: {numbers}")
    try:
        ContractNumbers.model_validate(numbers)
    except ValidationError as error:
        print(f"out of range: {first_problem(error)}")


def _scores(file: Path) -> tuple[float, float, float]:
    """Reads AP on all, on degraded and on clean frames."""
    found = read(Metrics, file)
    scores = found.total, found.subsets.get("degraded"), found.subsets.get("clean")
    if None in scores:
        raise RecordError(f"{file}: no AP on clean and degraded frames; evaluate it again")
    total, low, high = (float(score) for score in scores if score is not None)
    return total, low, high
