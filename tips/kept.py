"""Lists which features a study keeps: of which windows, of which frames in them, by which backbone.

The order of the samples and their augmentation depend on (seed, epoch, sample) alone, and the
backbone is frozen and shared. So all second stages of a seed look at the same crops through the
same network, and the network needs to look once. A window's features are kept frame by frame, by
the frame's offset from t; so rows with shorter windows read some of the files of longer ones.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tips.config import Experiment, Study, digest
from tips.paths import scored

FRAMES: Final = "frames"  # the source of all that is not made by an interim generator

Name = tuple[str, str, str]  # part, key and source of a cache


class Cache(NamedTuple):
    """Features of one source of pictures, for one set of windows."""

    part: str  # train-SEED, or BOXES-SEED of the backbone for the validation split
    key: str  # digest of what else decides the windows and the network
    source: str  # FRAMES, or the kind of interim generator
    offsets: tuple[int, ...]  # from t; those of interim frames are their left neighbours'
    variant: str  # a row that reads them, whose settings tell crop, augmentation and backbone
    seed: int  # of the training; for validation, of a training on this backbone

    @property
    def name(self) -> Name:
        """What tells it apart from the others."""
        return self.part, self.key, self.source

    @property
    def validation(self) -> bool:
        """Whether it holds the validation split."""
        return not self.part.startswith("train-")

    @property
    def boxes(self) -> str:
        """The source of the validation boxes."""
        return self.part.rsplit("-", 1)[0]

    @property
    def window(self) -> tuple[int, ...]:
        """Offsets of all frames that must be cut out."""
        interim = self.source != FRAMES
        return (*self.offsets, self.offsets[-1] + 1) if interim else self.offsets


def caches(study: Study) -> dict[Name, Cache]:
    """Lists everything that the rows of a study read, by name."""
    found: dict[Name, Cache] = {}
    for variant, seed, boxes in scored(study):
        if variant not in study.variants:
            continue
        wanted = [*_of_training(study, variant, int(seed))]
        wanted += _of_validation(study, variant, int(seed), boxes)
        for one in wanted:
            known = found.get(one.name, one)
            low = min(one.offsets[0], known.offsets[0])
            high = max(one.offsets[-1], known.offsets[-1])
            found[one.name] = known._replace(offsets=tuple(range(low, high + 1)))
    return found


def names(study: Study, variant: str, seed: int, boxes: str | None = None) -> list[Name]:
    """Names what a run of the study reads: its prediction on some boxes, or else its training.

    Args:
        study: the study.
        variant: the row.
        seed: the number of the run.
        boxes: the source of the validation boxes; None: the training is meant.
    """
    if boxes is None:
        return [one.name for one in _of_training(study, variant, seed)]
    return [one.name for one in _of_validation(study, variant, seed, boxes)]


def of_training(study: Study, variant: str, seed: int) -> list[Cache]:
    """Lists what a training reads; empty if it runs the backbone itself.

    Args:
        study: the study.
        variant: the row that is trained.
        seed: the seed of the training.
    """
    return _known(study, _of_training(study, variant, seed))


def of_validation(study: Study, variant: str, seed: int, boxes: str) -> list[Cache]:
    """Lists what a prediction reads; empty if it runs the backbone itself.

    Args:
        study: the study.
        variant: the row that predicts.
        seed: the seed of its training.
        boxes: the source of the validation boxes.
    """
    return _known(study, _of_validation(study, variant, seed, boxes))


def _known(study: Study, wanted: Iterator[Cache]) -> list[Cache]:
    """Takes caches as the study makes them; none if a seed or a row is not the study's own."""
    every = caches(study)
    asked = [one.name for one in wanted]
    return [every[name] for name in asked] if all(name in every for name in asked) else []


def _of_training(study: Study, variant: str, seed: int) -> Iterator[Cache]:
    experiment = study.variant(variant).experiment
    if not (_kept(study, experiment) and experiment.learns):
        return
    training = experiment.training
    drawn = {
        "augmentation": experiment.augmentation,
        "epochs": training.epochs,
        "batch": training.batch,
        "windows_per_epoch": training.windows_per_epoch,
        "first_seed": study.scale.seeds.first,
    }
    key = _key(study, variant, drawn)
    for source, offsets in _sources(experiment):
        yield Cache(f"train-{seed}", key, source, offsets, variant, seed)


def _of_validation(study: Study, variant: str, seed: int, boxes: str) -> Iterator[Cache]:
    experiment = study.variant(variant).experiment
    if study.scale.evaluation.flip_test or not _kept(study, experiment):
        return
    part = f"{boxes}-{study.backbone_seed(seed)}"
    for source, offsets in _sources(experiment):
        yield Cache(part, _key(study, variant, {}), source, offsets, variant, seed)


def _kept(study: Study, experiment: Experiment) -> bool:
    return study.scale.features == "kept" and experiment.from_features


def _sources(experiment: Experiment) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield FRAMES, experiment.window
    if experiment.interim_frames is not None:
        yield experiment.interim_frames, experiment.window[:-1]


def _key(study: Study, variant: str, drawn: dict[str, object]) -> str:
    experiment = study.variant(variant).experiment
    told = drawn | {
        "backbone": study.stage_one(variant),
        "crop": experiment.crop,
        "precision": experiment.training.precision,
        "enlarge": study.scale.evaluation.enlarge,
    }
    return digest(told)[:12]
