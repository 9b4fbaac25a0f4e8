"""The chain behind a number: metrics, predictions, weights, data, and whether each is current.

When a link was made, it was recorded: digests of the code that it used, file by file, its settings,
and digests of the files that it read. A link is current exactly if all of these are the same now,
or if `tips recheck` has proved that the changes of the code are harmless.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tips import code, freshness
from tips.config import MEAN_POSE, Study
from tips.paths import Paths
from tips.proofs import Pair, Proof, proven
from tips.provenance import file_digest, shown_commit
from tips.records import read, read_object

State = Literal["current", "stale", "partial", "failed", "missing"]
INTERPOLATOR = ("vfit", 0)  # name of VFIT's only training in proofs
WORST: tuple[State, ...] = ("failed", "missing", "partial", "stale", "current")


class LinkRecord(BaseModel):
    """What was recorded when a link was made, as far as anything is compared with it or computed.

    Other keys are kept as they are. Older versions recorded fewer keys.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    code: dict[str, str] = {}
    meaning: dict[str, Any] = {}  # settings of a training
    settings: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    input_digests: dict[str, str] = {}  # the same, of a training
    evidence: str = ""
    commit: str = ""
    dirty: bool | None = None
    dirty_reason: str = ""
    device: str = ""
    kernels: str = ""
    machine: str = ""
    threads: int = Field(default=1, ge=0, le=100_000)
    seconds: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 0.0

    def has(self, key: str) -> bool:
        """Tells whether the file has a key."""
        return key in self.model_fields_set


class Link(NamedTuple):
    """One file of a run, and how it compares with the present code, settings and files."""

    name: str  # metrics, predictions, training, ...
    file: Path
    state: State
    code: Mapping[str, Pair] = {}  # changed files of the code, with their digests then and now
    keys: tuple[str, ...] = ()  # changed settings, such as "training.epochs: 25 -> 30"
    inputs: tuple[str, ...] = ()  # names of inputs that are other files now, or gone
    since: str = ""  # the commit at which it was made
    proof: Proof | None = None  # proof that changes of the code are harmless
    reason: str = ""  # why it failed, or why it cannot be compared
    record: Mapping[str, Any] = {}  # what was recorded when it was made

    @property
    def words(self) -> str:
        """Why it is not current, in the words of every page; "" if it is current."""
        if self.reason or self.state in ("current", "missing", "failed"):
            return self.reason
        parts = [", ".join((*self.code, *(key.partition(":")[0] for key in self.keys)))]
        parts += [f"{name} (what it read)" for name in self.inputs]
        since = f" since {self.since}" if self.since else ""
        return f"{', '.join(filter(None, parts))} changed{since}"

    @property
    def lines(self) -> list[str]:
        """Describes the link in lines of text; all but the first begin with two spaces."""
        words = f": {self.words}" if self.words else ""
        found = [f"{self.name}: {self.state}{words} ({self.file})"]
        found += [f"  {key}" for key in self.keys]
        if self.proof is not None:
            run = f"{self.proof.run[0]}/seed-{self.proof.run[1]}"
            commit = shown_commit(self.proof.commit, dirty=False)
            found.append(
                f"  proved harmless: {run} was trained again at {commit} and all "
                f"{self.proof.tensors} tensors were equal ({self.proof.time})"
            )
        if "commit" in self.record and "machine" in self.record:
            found.append(f"  made at {self.since} on {self.record['machine']}")
        data = self.record.get("data_digest")
        if data:
            settings = self.record.get("config_digest")
            found.append(f"  data {str(data)[:12]}, configuration {str(settings)[:12]}")
        return found


class Judge:
    """Compares the records of a study's runs with the present code, settings and files.

    The arguments of its methods: `name` is a variant, `seed` the seed of its run, and `boxes` the
    source of validation boxes, `gt` or `detected`.

    Args:
        study: the study as it is configured now.
        paths: the study's folders.
        proofs: what `tips recheck` has proved.
        contents: whether input files are compared as well, which takes the time to hash them.
    """

    def __init__(
        self, study: Study, paths: Paths, proofs: Iterable[Proof], contents: bool = True
    ) -> None:
        self.study, self.paths, self.contents = study, paths, contents
        self.proofs = tuple(proofs)
        self._digests: dict[Path, str] = {}

    def chain(self, name: str, seed: int, boxes: str) -> list[Link]:
        """Judges the links of one run, from its metrics to the weights that it builds on.

        Args:
            name: the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        links = [self.metrics(name, seed, boxes), self.predictions(name, seed, boxes)]
        if name == MEAN_POSE:
            return links
        links.append(self.training(name, seed))
        if not self.study.variant(name).experiment.first_stage:
            single, own = self.study.stage_one(name), self.study.backbone_seed(seed)
            links.append(self.training(single, own)._replace(name=f"backbone {single}"))
        if self._has_own_interpolator(name):
            links.append(self.interpolator())
        return links

    def trainings(self, name: str, seed: int) -> list[Link]:
        """Judges the trainings behind one run: its own, its backbone's, its interim generator's."""
        return self.chain(name, seed, "gt")[2:]

    def _has_own_interpolator(self, name: str) -> bool:
        vfit = self.study.scale.vfit
        own = vfit is not None and vfit.training is not None
        return own and self.study.variant(name).experiment.interim_frames == "vfit"

    def interpolator(self) -> Link:
        """Judges the network that makes interim frames of kind `vfit`, which the scale trains."""
        file = self.paths.vfit
        return self._judged(
            Link("interpolator", file, "current"),
            file.with_name("provenance.json"),
            lambda device: freshness.computing_code("vfit", device=device),
            self.study.scale.vfit.meaning(),
            {"data": self.paths.manifest},
            INTERPOLATOR,
        )

    def metrics(self, name: str, seed: int, boxes: str) -> Link:
        """Judges what was measured.

        Args:
            name: the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        found = Link("metrics", self.paths.metrics(name, str(seed), boxes), "current")
        files = freshness.evaluation_files(self.paths, name, seed, boxes)
        now = freshness.computing_code("evaluate")
        found = self._judged(
            found, found.file, lambda _: now, self._settings("evaluate"), files, None
        )
        evidence = self.paths.evidence(name, str(seed), boxes)
        if found.state == "missing" or self._digest(evidence) == found.record.get("evidence"):
            return found
        return found._replace(state="stale", inputs=(*found.inputs, "evidence"))

    def guest(self, name: str, files: str) -> Link:
        """Judges what was measured of a guest.

        Args:
            name: the guest.
            files: the digest of its own files as they are now.
        """
        metrics = self.paths.guest(name, "metrics.json")
        inputs = {
            "predictions": self.paths.guest(name, "predictions.json"),
            "annotations": self.paths.annotations("val"),
        }
        now, told = freshness.computing_code("guest"), self._settings("guest")
        link = Link("metrics", metrics, "current")
        link = self._judged(link, metrics, lambda _: now, told, inputs, None)
        if link.state == "missing" or link.record.get("inputs", {}).get("guest") == files:
            return link
        return link._replace(state="stale", inputs=(*link.inputs, "guest"))

    def predictions(self, name: str, seed: int, boxes: str) -> Link:
        """Judges what was predicted.

        Args:
            name: the variant.
            seed: seed of the run.
            boxes: source of the validation boxes.
        """
        found = Link("predictions", self.paths.predictions(name, str(seed), boxes), "current")
        record = self.paths.predicted(name, str(seed), boxes)
        files = freshness.prediction_files(self.study, self.paths, name, seed, boxes)
        if name == MEAN_POSE:
            now = freshness.computing_code("mean_pose")
            return self._judged(
                found, record, lambda _: now, self._settings("mean_pose"), files, None
            )
        experiment = self.study.variant(name).experiment
        return self._judged(
            found,
            record,
            lambda device: freshness.prediction_code(experiment, device),
            self._settings("predict"),
            files,
            (name, seed),
        )

    def training(self, name: str, seed: int) -> Link:
        """Judges what was trained."""
        folder = self.paths.run(name, str(seed))
        found = Link("training", self.paths.checkpoint(name, str(seed)), "current")
        experiment, scale = self.study.variant(name).experiment, self.study.scale
        told = freshness.training_meaning(experiment, scale)
        files = freshness.training_files(self.study, self.paths, name, seed)
        if not found.file.is_file() and (folder / "failed.json").is_file():
            reason = str(read_object(folder / "failed.json").get("reason", "it says no reason"))
            return found._replace(state="failed", reason=reason)
        return self._judged(
            found,
            folder / "provenance.json",
            lambda device: freshness.training_code(experiment, scale, device),
            told,
            files,
            (name, seed),
        )

    def _settings(self, stage: str) -> dict[str, Any]:
        return freshness.settings_of(self.study.scale.evaluation, stage)

    def _judged(
        self,
        found: Link,
        record_file: Path,
        code_now: Callable[[str], dict[str, str]],
        told: Mapping[str, Any],
        files: Mapping[str, Path],
        run: tuple[str, int] | None,
    ) -> Link:
        if not (found.file.is_file() and record_file.is_file()):
            return found._replace(state="missing")
        noted = read(LinkRecord, record_file)
        record = noted.model_dump(exclude_unset=True)
        if not noted.has("code"):
            why = "made by a version that did not record its code"
            return found._replace(state="stale", reason=why, record=record)
        then, proof, now = noted.code, None, code_now(served(record))
        if then != now and run is not None:
            then, proof = proven(self.proofs, found.name, run, then)
        pairs = {file: (then.get(file), now.get(file)) for file in code.changed(then, now)}
        keys = differences(noted.meaning if noted.has("meaning") else noted.settings, told)
        inputs = self._changed_inputs(noted, files) if self.contents else []
        return found._replace(
            state="stale" if pairs or keys or inputs else "current",
            code=pairs,
            keys=tuple(keys),
            inputs=tuple(inputs),
            since=shown_commit(noted.commit, noted.dirty, noted.dirty_reason),
            proof=proof,
            record=record,
        )

    def _changed_inputs(self, record: LinkRecord, files: Mapping[str, Path]) -> list[str]:
        then = record.inputs if record.has("inputs") else record.input_digests
        return [name for name, file in files.items() if then.get(name) != self._digest(file)]

    def _digest(self, file: Path) -> str:
        if file not in self._digests:
            self._digests[file] = file_digest(file) if file.is_file() else ""
        return self._digests[file]


def served(record: Mapping[str, Any]) -> str:
    """Gives the type of device whose compiled kernels a recorded computation ran; "" for none."""
    return str(record.get("device", "")) if record.get("kernels") == "cpp" else ""


def differences(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Lists the keys with different values, with both, such as "training.epochs: 25 -> 30".

    Args:
        then: settings before.
        now: settings after.
        prefix: what every key begins with.
    """
    found = []
    for key in sorted(then.keys() | now.keys()):
        before, after = then.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{key}.")
        elif _plain(before) != _plain(after):
            found.append(f"{prefix}{key}: {_shown(before)} -> {_shown(after)}")
    return found


def parent_difference(study: Study, name: str) -> list[str]:
    """Lists what a variant changes in the experiment that its file extends, key by key."""
    if name not in study.variants or not study.variants[name].parent:
        return []
    parent = study.variants.get(study.variants[name].parent)
    if parent is None:
        return []
    return differences(parent.experiment.meaning(), study.variants[name].experiment.meaning())


def worst(states: Iterable[State]) -> State:
    """Gives the worst of some states, which is the state of the whole."""
    return min(states, key=WORST.index, default="missing")


def whole(links: Sequence[Link]) -> State:
    """Gives the state of a run. It is current only if every link behind its value is current."""
    if links[0].state == "missing":
        return "failed" if any(link.state == "failed" for link in links) else "missing"
    return "current" if all(link.state == "current" for link in links) else "stale"


def together(states: Iterable[State]) -> State:
    """Gives the state of several runs: partial if some have a value and others have none."""
    states = list(states)
    absent = [state for state in states if state in ("missing", "failed")]
    if absent and len(absent) < len(states):
        return "partial"
    return worst(states)


def _plain(value: Any) -> Any:
    """Turns tuples into lists, as JSON does."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "given"
    return "none" if value is None else str(_plain(value))
