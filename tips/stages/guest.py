"""Measures a guest: predictions in PoseTrack's json that something else made."""

from pathlib import Path

from tips import kinds, records
from tips.config import ConfigError, load_study
from tips.config.guests import load_guests
from tips.evaluation.guest_files import GUEST, digest_of, guest_folder, read_guest
from tips.evaluation.measure import Truth, load_truth, measure
from tips.evaluation.metrics import summarize, write_evidence
from tips.evaluation.people import counted
from tips.freshness import computing_code, settings_of
from tips.paths import study_paths
from tips.provenance import file_digest
from tips.records import Predictions

EXPERIMENTS = Path("experiments")


def run(guest: str, scale: str = "desk", root: str = "") -> None:
    """Writes a guest's predictions.json, metrics.json and evidence.npz, as a run has them.

    The scores are those that `tips evaluate` prints of the same folder, beside the truth that
    `tips stage export` writes. metrics.json also says how many people the guest found.

    Args:
        guest: Names the guest, a file of experiments/guests.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        ConfigError: the study has no such guest.
        RecordError: its files are missing, malformed, or of another dataset.
    """
    study = load_study(scale, EXPERIMENTS, root or None)
    paths = study_paths(study.scale)
    guests = load_guests(scale, study.scale, EXPERIMENTS)
    if guest not in guests:
        raise ConfigError(f"scale '{scale}' has no guest '{guest}'{kinds.nearest(guest, guests)}")
    folder = guest_folder(guest, guests[guest], paths, EXPERIMENTS)
    truth = load_truth(study, paths)
    predictions = read_guest(guest, folder, truth.annotations)
    measured = measure(predictions, truth, study.scale.evaluation)
    metrics = summarize(predictions, measured, truth)
    file = paths.guest(guest, "predictions.json")
    records.write(predictions, file)
    evidence = paths.guest(guest, "evidence.npz")
    write_evidence(measured, evidence)
    made_by = {
        "variant": guest,
        "seed": 0,
        "boxes": GUEST,
        "code": computing_code("guest"),
        "inputs": {
            "predictions": file_digest(file),
            "annotations": file_digest(paths.annotations("val")),
            "guest": digest_of(folder),
        },
        "settings": settings_of(study.scale.evaluation, "guest"),
        "evidence": file_digest(evidence),
        "people": _people(predictions, truth),
    }
    records.write_json(metrics | made_by, paths.guest(guest, "metrics.json"))


def _people(predictions: Predictions, truth: Truth) -> dict[str, int]:
    """Counts the people of all frames that count: those that were found, and the annotated ones."""
    found = {
        (part.name, frame.frame): len(frame.poses)
        for part in predictions.sequences
        for frame in part.frames
    }
    frames = [
        (sequence.name, place, frame)
        for sequence in truth.annotations.sequences
        for place, frame in enumerate(sequence.frames)
        if counted(frame)
    ]
    return {
        "found": sum(found.get((name, place), 0) for name, place, _ in frames),
        "annotated": sum(len(frame.people) for *_, frame in frames),
    }
