"""The path of every file of a study; rules and stages take all names from here."""

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tips.config import MEAN_POSE, ConfigError, Scale, Study
from tips.config.names import as_name

DEFAULT_SCALE = "desk"


class Paths(NamedTuple):
    """Files below the folders of results and reports of one scale and dataset.

    Arguments that are wildcards in the Snakefile are plain strings here, so that rules can use this
    class, too. Everywhere `variant` is the variant's name, `seed` the seed of a run, and `boxes`
    the source of validation boxes, `gt` or `detected`.
    """

    results: Path
    reports: Path
    dataset: str
    root: Path  # the dataset, or its archives

    @property
    def data(self) -> Path:
        """Folder of everything that is derived from the dataset."""
        return self.results / "data" / self.dataset

    @property
    def assets(self) -> Path:
        """Folder of downloads, which all scales share."""
        return Path("results") / "assets"

    @property
    def peers(self) -> Path:
        """Record of the downloaded public networks."""
        return self.assets / "peers" / "manifest.json"

    @property
    def motions(self) -> Path:
        """Record of the downloaded motion-capture clips."""
        return self.assets / "motions" / "manifest.json"

    @property
    def cost(self) -> Path:
        """Record of what the networks cost at the paper's size, the same for all scales."""
        return Path("results") / "cost" / "cost.json"

    @property
    def bench(self) -> Path:
        """Folder of the measurements of `make bench`, the same for all scales."""
        return Path("results") / "bench"

    @property
    def bodies(self) -> Path:
        """Body bank of the embedded dataset."""
        return self.data / "bodies.npz"

    def shard(self, split: str, shard: str) -> Path:
        """Record of one rendered shard."""
        return self.data / "shards" / f"{split}-{shard}.json"

    @property
    def unpacked(self) -> Path:
        """Record of a published dataset's archives."""
        return self.data / "unpacked.json"

    def annotations(self, split: str) -> Path:
        """Annotations of a split in our own form."""
        return self.data / f"annotations-{split}.json"

    @property
    def manifest(self) -> Path:
        """Sha256 and counts of the data."""
        return self.data / "manifest.json"

    def boxes(self, source: str) -> Path:
        """Validation boxes."""
        return self.data / f"boxes-{source}.json"

    @property
    def packed(self) -> Path:
        """Folder of the decoded frames; `packed.json` in it is written last."""
        return self.data / "packed"

    def interim(self, generator: str) -> Path:
        """Folder of one generator's frames; `psnr.json` in it is written last."""
        return self.data / "interim" / generator

    def interim_shard(self, generator: str, shard: str) -> Path:
        """Record that one share of a generator's frames is made."""
        return self.data / "interim-shards" / f"{generator}-{shard}.json"

    def features(self, part: str, key: str, source: str) -> Path:
        """Record of kept features; the features lie beside it, in a folder of the same name.

        Args:
            part: the windows, as in `tips.kept`.
            key: digest of what else decides the features.
            source: `frames`, or the kind of interim generator.
        """
        return self.results / "features" / self.dataset / f"{part}-{key}" / f"{source}.json"

    @property
    def vfit(self) -> Path:
        """Weights of VFIT, if the scale trains it."""
        return self.data / "vfit" / "checkpoint.pt"

    def groups(self, count: str) -> Path:
        """Part groups that clustering finds in the data."""
        return self.results / "groups" / self.dataset / f"{count}.json"

    @property
    def made(self) -> Path:
        """Copy of Snakemake's records of all outputs."""
        return self.results / "made.json"

    @property
    def kernels(self) -> Path:
        """Record of the devices that compiled kernels serve."""
        return self.results / "kernels.json"

    def run(self, variant: str, seed: str) -> Path:
        """Folder of one training run."""
        return self.results / "runs" / self.dataset / variant / f"seed-{seed}"

    def checkpoint(self, variant: str, seed: str) -> Path:
        """Final weights of one run."""
        return self.run(variant, seed) / "checkpoint.pt"

    def predictions(self, variant: str, seed: str, boxes: str) -> Path:
        """Predictions of one run.

        Args:
            variant: name of the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        name = "predictions.json" if boxes == "gt" else f"{boxes}/predictions.json"
        return self.run(variant, seed) / name

    def predicted(self, variant: str, seed: str, boxes: str) -> Path:
        """Record of how the predictions of one run were made.

        Args:
            variant: name of the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        return self.predictions(variant, seed, boxes).with_name("predicted.json")

    def guest(self, name: str, file: str) -> Path:
        """A file of a guest, by its own name.

        Args:
            name: name of the guest.
            file: predictions.json, metrics.json, evidence.npz, or posetrack.json of a peer.
        """
        return self.results / "guests" / self.dataset / name / file

    @property
    def proofs(self) -> Path:
        """Edits that `tips recheck` has proved harmless."""
        return self.results / "proofs.json"

    def metrics(self, variant: str, seed: str, boxes: str) -> Path:
        """Metrics of one run.

        Args:
            variant: name of the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        return self.predictions(variant, seed, boxes).with_name("metrics.json")

    def evidence(self, variant: str, seed: str, boxes: str) -> Path:
        """Evidence that the metrics of one run were computed from.

        Args:
            variant: name of the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        return self.metrics(variant, seed, boxes).with_name("evidence.npz")

    def rechecked(self, variant: str, seed: str) -> Path:
        """Folder of the state of a training that `tips recheck` runs again."""
        return self.results / "state" / "recheck" / variant / f"seed-{seed}"

    def state(self, variant: str, seed: str) -> Path:
        """Folder of a training's state; it is no rule's output, so that a kill never removes it."""
        return self.results / "state" / variant / f"seed-{seed}"

    @property
    def contract(self) -> Path:
        """Numbers by which the difficulty of rendered data is chosen."""
        return self.results / "contract.json"

    @property
    def speed(self) -> Path:
        """Speed of every variant relative to the single-frame HRNet."""
        return self.results / "speed.json"

    @property
    def numbers(self) -> Path:
        """The numbers of the report, for programs."""
        return self.reports / "numbers.json"

    @property
    def checklist(self) -> Path:
        """The reproducibility checklist, beside the report."""
        return self.reports / "checklist.md"

    @property
    def card(self) -> Path:
        """The dataset card, which rendered data alone have."""
        return self.reports / "dataset-card.md"

    @property
    def mlflow(self) -> Path:
        """The MLflow database."""
        return self.results / "mlflow.db"


def study_paths(scale: Scale) -> Paths:
    """Names the folders of a scale.

    Every scale has folders of its own below `results` and `reports`, except desk, whose folders are
    these themselves.
    """
    name = dataset_name(scale)
    part = (
        ()
        if scale.name == DEFAULT_SCALE and scale.dataset.kind == "embedded"
        else (f"{scale.name}-{name}",)
    )
    results, reports = Path("results", *part), Path("reports", *part)
    for folder in (results, reports):
        _refuse_links(folder.absolute(), folder)
    root = Path(scale.dataset.root) if scale.dataset.root else results / "data" / name
    return Paths(results, reports, name, root)


@cache
def _refuse_links(place: Path, folder: Path) -> None:
    """Refuses links in the place of folders: what is written or removed there would be elsewhere.

    Raises:
        ConfigError: a folder is a link. `results` and `reports` themselves may be.
    """
    above = () if folder.parent == Path() else (place,)
    below = (Path(at, name) for at, names, _ in os.walk(place) for name in names)
    for path in (*above, *below):
        if path.is_symlink():
            raise ConfigError(
                f"{path.relative_to(place.parents[len(folder.parts) - 1])}: a link in the place of "
                "a folder; put the folder itself there (`results` and `reports` may be links)"
            )


def dataset_name(scale: Scale) -> str:
    """Gives the dataset's name in paths and on pages: its own, or that of its folder.

    Raises:
        ConfigError: if the folder's name could mean something to a shell.
    """
    folder = Path(scale.dataset.root or scale.dataset.kind).absolute()
    return scale.dataset.name or as_name(
        Path(os.path.normpath(folder)).name,
        f"{folder}: the dataset folder's name",
        "rename the folder, or give the scale a `dataset.name`",
    )


def judge_boxes(source: str) -> None:
    """Refuses a source of validation boxes that there is not. Raises ConfigError."""
    if source not in ("gt", "detected"):
        raise ConfigError(f"--boxes must be gt or detected; got {source!r}")


def scored(study: Study) -> list[tuple[str, str, str]]:
    """Lists everything that a study predicts and scores: (variant, seed, boxes)."""
    settings = study.scale.evaluation
    runs = [
        (name, str(n)) for name, variant in study.variants.items() for n in range(variant.seeds)
    ]
    others = [run for run in runs if run[0] in settings.other_rows]
    return [
        *((name, seed, settings.boxes) for name, seed in [*runs, (MEAN_POSE, "0")]),
        *((name, seed, settings.other_boxes) for name, seed in others),
    ]
