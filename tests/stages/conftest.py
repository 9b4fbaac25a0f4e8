"""A tiny dataset on disk and the study that names it, without any experiments folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import miniature
import numpy as np
import pytest
import tiny_study
import trained
import yaml
from real_sets import Set

from tips.config import Evaluation, Scale, Study, load_study
from tips.config.embedded import Embedded
from tips.config.scale import Dataset
from tips.interim.vfit.settings import Settings as Vfit
from tips.ops.image import write_jpeg
from tips.paths import Paths, study_paths
from tips.records import Annotations, Frame, Sequence, write
from tips.stages import predict, reproduce, train

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def moving(shift: float, height: int = 96, width: int = 128) -> np.ndarray:
    """A smooth textured square on a smooth background, `shift` px to the right."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    image = 80 + 40 * np.sin(x / 9)[..., None] * np.array([1.0, 0.6, 0.3])
    inside = (abs(y - 48) < 26) & (abs(x - 40 - shift) < 22)
    texture = 150 + 60 * np.sin((x - shift) / 5) * np.cos(y / 6)
    image[inside] = texture[inside, None] * np.array([0.5, 1.0, 0.8])
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def make_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Study, Paths]]:
    """Writes 2 + 1 clips of 4 frames and returns their study; `stage` modules then read it."""
    monkeypatch.chdir(tmp_path)

    def make(
        *stages: object, packed: bool = True, between: bool = True, vfit: Vfit | None = None
    ) -> tuple[Study, Paths]:
        dataset = Dataset.model_construct(
            kind="embedded" if packed else "posetrack18",
            name="toy",
            root=None,
            annotations="annotations",
            frames="packed" if packed else "files",
            split=None,
            embedded=Embedded(stills=1) if packed else None,
        )
        scale = Scale.model_construct(name="test", dataset=dataset, note="", rows=None, vfit=vfit)
        paths = study_paths(scale)
        for split, names in (("train", ("a", "b")), ("val", ("c",)), ("stills", ("s",))):
            _write_split(paths, split, names, between and split != "stills")
        study = Study(scale, {})
        for stage in stages:
            monkeypatch.setattr(stage, "load_study", lambda *_: study)
        return study, paths

    return make


def _write_split(paths: Paths, split: str, names: tuple[str, ...], between: bool) -> None:
    sequences = []
    for name in names:
        files = [f"images/{split}/{name}/{k:06d}.jpg" for k in range(4)]
        for k, file in enumerate(files):
            write_jpeg(moving(3.0 * k), paths.root / file)
            if between and k < 3:
                half = paths.root / "between" / split / name / f"{k:06d}.jpg"
                write_jpeg(moving(3.0 * k + 1.5), half)
        frames = tuple(Frame(file=file, id=k, labelled=True) for k, file in enumerate(files))
        sequences.append(Sequence(name=name, width=128, height=96, motion="walk", frames=frames))
    record = Annotations(dataset="toy", split=split, root=".", sequences=tuple(sequences))
    write(record, paths.annotations(split))


@pytest.fixture
def put_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Set]:
    """Puts a miniature's archives into a folder, under their real names."""
    shutil.copytree(EXPERIMENTS, tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSETRACK21_TOKEN", miniature.TOKEN)
    root = tmp_path / "archives"
    root.mkdir()

    def put(scale: str) -> Set:
        miniature.MAKERS[scale](root)
        if scale.startswith("paper-jhmdb"):
            miniature.own_sums(monkeypatch, root)
        study = load_study(scale, Path("experiments"), str(root))
        return Set(scale, root, study_paths(study.scale))

    return put


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study, its variants trained and predicted, with other than usual decoding."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_study.write(folder)
    scale = folder / "experiments/scales/tiny.yaml"
    settings = yaml.safe_load(scale.read_text())
    settings["evaluation"] |= {"flip_test": True, "decode": "dark", "enlarge": 1.4}
    # As many as a frame has people: a batch of another size can round the last digit otherwise.
    settings["evaluation"]["batch"] = 2
    settings["rows"] = list(trained.VARIANTS)
    scale.write_text(yaml.safe_dump(settings))
    with tiny_study.prepared(folder):
        for variant in trained.VARIANTS:
            train.run(variant, scale="tiny", root="people")
            predict.run(variant, scale="tiny", root="people")
    return folder


@pytest.fixture
def study(ready: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ready)
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)
    return ready


@pytest.fixture
def moved(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A run's folder alone, in a place where nothing else is."""

    def move(variant: str) -> Path:
        source = (study / trained.paths().run(variant, "0")).resolve()
        target = tmp_path / "elsewhere" / variant
        for name in ("checkpoint.pt", "provenance.json"):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target)
        monkeypatch.chdir(tmp_path)
        return target

    return move


@pytest.fixture
def nothing_scored(make_study: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `reproduce` find a study without rows."""
    study, _ = make_study()
    scored = Evaluation.model_construct(boxes="gt", other_rows=())
    study = Study(study.scale.model_copy(update={"evaluation": scored}), {})
    monkeypatch.setattr(reproduce, "load_study", lambda *_: study)
