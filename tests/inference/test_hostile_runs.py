"""A stranger's run is data: nothing in it reaches out, names another file or ends in a bug."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from every import EXPERIMENTS, experiment_of
from nested import changed

from tips import skeleton
from tips.build import build_model
from tips.config import Experiment, Parts, load_scale
from tips.config.loader import experiment_files
from tips.inference import run_folder
from tips.inference.loading import load_trained
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.messages import complaint
from tips.models.interfaces import PoseModel
from tips.ops.image import write_jpeg
from tips.provenance import file_digest
from tips.stages import predict_video

CPU = torch.device("cpu")
REACHING = (
    "socket.",
    "urllib.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "ftplib.",
)
OURS = tuple(map(str, (sys.prefix, sys.base_prefix, EXPERIMENTS.parent, "/proc", "/sys", "/dev")))
HOSTILE = (
    *("http://127.0.0.1:9/weights.pth", "hf-hub:timm/vit_tiny", "torch.nn.Linear", "x" * 100_000),
    *("../outside/canary.pt", "/etc/hostname", 10**30, 1e300, -1, math.nan, True, None, [], {}),
    {
        "url": "http://127.0.0.1:9/weights.pth",
        "pretrained": True,
        "checkpoint_path": "/etc/hostname",
    },
)


class Watch:
    """What the process opens and calls while it is watched, as Python's own audit tells it."""

    def __init__(self) -> None:
        self.allowed: Path | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event.startswith(REACHING):
            self.seen.append(f"{event} {arguments}")
        elif event == "open" and isinstance(arguments[0], str):
            path = str(Path(arguments[0]).absolute())
            inside = Path(path).resolve().is_relative_to(self.allowed)
            if not inside and not path.startswith(OURS):
                self.seen.append(f"open {path}")

    @contextmanager
    def __call__(self, folder: Path) -> Iterator[None]:
        self.allowed, self.seen = folder.resolve(), []
        try:
            yield
        finally:
            self.allowed = None


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


def make_run(folder: Path, stem: str) -> Path:
    """A run as a training leaves it, with fresh weights."""
    folder.mkdir()
    file = next(file for file in experiment_files(EXPERIMENTS) if file.stem == stem)
    experiment = experiment_of(file)
    torch.manual_seed(0)
    model = build_model(experiment, experiment.groups())
    torch.save({"model": model.state_dict()}, folder / "checkpoint.pt")
    torch.save({"model": VFIT(SIZES["tiny"]).state_dict()}, folder / "vfit.pt")
    sums = {name: file_digest(folder / name) for name in ("checkpoint.pt", "vfit.pt")}
    record = {
        **{"variant": stem, "seed": 0, "scale": "smoke", "dataset": "embedded", "steps": 3},
        "config": experiment.model_dump(mode="json"),
        **{"joints": skeleton.JOINTS, "groups": model.groups, "device": "cpu", "threads": 1},
        "evaluation": load_scale("smoke", EXPERIMENTS).evaluation.model_dump(mode="json"),
        "interpolator": {"size": "tiny", "weights": "vfit.pt", "sha256": sums["vfit.pt"]},
        **{"code": {"tips/build.py": "0" * 64}, "checkpoint_sha256": sums["checkpoint.pt"]},
    }
    (folder / "provenance.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip of two frames, and a file outside that no run may name."""
    frames = tmp_path / "all" / "clip"
    for k in range(2):
        write_jpeg(np.full((48, 64, 3), 50 * k + 40, np.uint8), frames / f"{k}.jpg")
    (tmp_path / "outside").mkdir()
    torch.save({"model": {}}, tmp_path / "outside/canary.pt")
    monkeypatch.chdir(tmp_path / "all")
    return tmp_path / "all"


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of a record, however deep; of a list the first entry stands for all."""
    if at:
        yield at
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:1])
        if isinstance(value, list)
        else ()
    )
    for key, one in inner:
        yield from places(one, (*at, key))


def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds a network once for all records that only differ in what a network does not read."""
    known: dict[str, PoseModel] = {}

    def load(experiment: Experiment, groups: Parts, file: Path, device: torch.device) -> PoseModel:
        unread = {"title", "losses", "augmentation"}
        key = f"{experiment.model_dump_json(exclude=unread)} {groups}"
        if key not in known:
            known[key] = load_trained(experiment, groups, file, device)
        return known[key]

    monkeypatch.setattr(run_folder, "load_trained", load)


def outcome(call: Callable[[], object]) -> str:
    """The line that a call is refused with; "" if it works. Bugs are raised."""
    try:
        call()
    except (ValueError, OSError) as error:
        line = complaint(error)
        if not line:
            raise
        return line
    return ""


@pytest.mark.parametrize(
    ("stem", "part"), [("tips", ()), ("vitpose", ("config", "backbone")), ("dcpose", ("config",))]
)
def test_no_value_of_a_record_reaches_out(
    stem: str,
    part: tuple[str, ...],
    place: Path,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run(place / "run", stem)
    record = json.loads((run / "provenance.json").read_text())
    cached(monkeypatch)
    good = predict(place, run, watch)
    assert good == "" or stem != "tips"
    refused = worked = 0
    for at in list(places(record)):
        if at[: len(part)] != part:
            continue
        for value in HOSTILE:
            (run / "provenance.json").write_text(json.dumps(changed(record, at, value)))
            line = predict(place, run, watch)
            assert not watch.seen, (at, str(value)[:80])
            assert "\n" not in line
            refused, worked = refused + bool(line), worked + (not line)
    assert refused > worked > 0


def predict(place: Path, run: Path, watch: Watch) -> str:
    with watch(place):
        line = outcome(lambda: predict_video.run(Path("clip"), run, out=Path("out"), threads=1))
    written = sorted(file.name for file in place.glob("out/*"))
    assert written == ([] if line else ["clip-overlay.mp4", "clip.json"]), line
    if not line:
        json.loads((place / "out/clip.json").read_text(), parse_constant=pytest.fail)
    for file in place.glob("out/*"):
        file.unlink()
    return line


def test_the_watch_hears_a_run_that_reaches_out(place: Path, watch: Watch) -> None:
    """The test above can fail."""
    with watch(place):
        Path("../outside/canary.pt").read_bytes()
    assert watch.seen
    with watch(place):
        Path("clip/0.jpg").read_bytes()
    assert not watch.seen


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"3", b'"text"', b"\xff\xfe", b"{}", b"[" * 100_000),
        *(b'{"variant": ' + b"9" * 5000 + b"}", b'{"config": ' + b'{"a":' * 50_000),
        *(b'{"variant": "x", "config": []}', b'{"variant": "x", "config": {"model": ["tips"]}}'),
    ],
)
def test_what_is_no_record_is_one_line(place: Path, watch: Watch, content: bytes) -> None:
    run = make_run(place / "run", "hrnet")
    (run / "provenance.json").write_bytes(content)
    assert "provenance.json" in predict(place, run, watch)


@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])
def test_weights_that_give_no_poses_are_one_line(place: Path, watch: Watch, value: float) -> None:
    """Not finite, or so large that what is computed with them is not."""
    run = make_run(place / "run", "hrnet")
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    state["model"] = {
        k: torch.full_like(v, value) if v.is_floating_point() else v
        for k, v in state["model"].items()
    }
    torch.save(state, run / "checkpoint.pt")
    record = json.loads((run / "provenance.json").read_text())
    assert (
        "not the weights that provenance.json tells of" in predict(place, run, watch)
        or value != 3e38
    )
    record["checkpoint_sha256"] = file_digest(run / "checkpoint.pt")
    (run / "provenance.json").write_text(json.dumps(record))
    told = predict(place, run, watch)
    # A network may make poses of huge weights; `predict` sees that they are finite.
    assert "not finite" in told or (value == 3e38 and told == "")
