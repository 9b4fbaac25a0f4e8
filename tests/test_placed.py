"""A study is opened wherever it lies, and says the same there; anything else is refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_study import SCALE, inside

from tips import records
from tips.archive import form
from tips.archive.writing import write_archive
from tips.chain import Judge
from tips.config import ConfigError
from tips.evaluation.metrics import Metrics
from tips.paths import scored
from tips.placed import Placed, placed
from tips.records import RecordError

RUN = ("tips", "0", "gt")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with inside(folder, measured=True):
        pass
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's project with the study; the working folder is another one."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def packed(project: Path, path: Path, scale: str = SCALE) -> Path:
    said = form.StudyFile(format=form.FORMAT, scale=scale, dataset="embedded", weights=True)
    files = [file for file in sorted(project.rglob("*")) if file.is_file()]
    members = [(file.relative_to(project).as_posix(), file) for file in files]
    write_archive(path, [(form.STUDY, said.model_dump_json().encode()), *members])
    return path


def contents(found: Placed) -> dict[str, object]:
    """What the study says of itself, without where it lies."""
    score = records.read(Metrics, found.paths.metrics(*RUN))
    return {
        "study": found.study,
        "tables": found.tables,
        "score": score,
        "truth": sorted(one.name for one in (found.paths.root / "truth/val").iterdir()),
        "runs": [found.paths.metrics(*run).is_file() for run in scored(found.study)],
        "stale": Judge(found.study, found.paths, ()).metrics("tips", 0, "gt").state,
    }


def test_a_study_says_the_same_wherever_it_lies(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(project, tmp_path / "study.zip")
    results = project / "results" / f"{SCALE}-embedded"
    shutil.copytree(results, project / "results/renamed")
    shutil.copytree(results, tmp_path / "alone/results")
    shutil.copytree(project / "experiments", tmp_path / "alone/experiments")
    found = {}
    places = (
        *(project, results, project / "results/renamed", archive),
        *(Path("../project"), tmp_path / "alone/results", project / "results/../results/renamed"),
    )
    for place in places:
        with placed(place, SCALE) as one:
            assert one.place == place
            found[place] = contents(one)
    monkeypatch.chdir(project)
    for own in (None, Path()):
        with placed(own, SCALE) as one:
            assert one.place == Path()
            found[own] = contents(one)
    for place, said in found.items():
        assert said == found[None], place
    assert all(found[None]["truth"])


def test_shared_results_are_the_projects_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with placed(None, SCALE) as here, placed(project, SCALE) as there, placed(project, "desk") as d:
        for name in ("cost", "bench", "assets", "motions", "peers", "made", "numbers", "mlflow"):
            assert getattr(there.paths, name) == project / getattr(here.paths, name)
        assert d.paths.cost == there.paths.cost


def test_an_archive_unpacked_by_hand_is_a_project(project: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(packed(project, tmp_path / "study.zip"), tmp_path / "unpacked")
    with placed(tmp_path / "unpacked", "desk") as found:  # it says its own scale
        assert found.study.scale.name == SCALE
        assert found.paths.metrics(*RUN).is_file()


def test_a_dataset_of_ones_own_is_found_by_its_name(project: Path, tmp_path: Path) -> None:
    """The scale leaves the dataset's folder open, and the folder is on another machine."""
    with placed(project, "clip", str(tmp_path / "people")) as own:
        folder = own.paths.results
        assert own.paths.root == tmp_path / "people"
    run = folder / "runs/people/tips/seed-0"
    run.mkdir(parents=True)
    said = {"scale": "clip", "dataset": "people"}
    (run / "provenance.json").write_text(json.dumps(said))
    with placed(folder, "desk") as found:
        assert (found.study.scale.name, found.paths.dataset) == ("clip", "people")
        assert found.paths.root == folder / "data/people"
        assert found.paths._replace(root=own.paths.root) == own.paths


def test_results_that_fit_two_scales_need_a_choice(project: Path) -> None:
    """`paper` on a folder of that name, and the scale of that published dataset."""
    run = project / "results/paper-posetrack18/runs/posetrack18/tips/seed-0"
    run.mkdir(parents=True)
    (run / "provenance.json").write_text('{"scale": "paper", "dataset": "posetrack18"}')
    with pytest.raises(ConfigError, match="paper-posetrack18, paper; choose by --scale"):
        placed(run.parents[3], "desk").__enter__()
    with placed(run.parents[3], "paper-posetrack18") as found:
        assert found.study.scale.dataset.release == "posetrack18"


def refused(place: Path, scale: str = SCALE) -> str:
    with pytest.raises((ConfigError, RecordError)) as caught, placed(place, scale):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_anything_else_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    for place in (tmp_path / "empty", tmp_path / "absent", project / "experiments"):
        message = refused(place)
        assert str(place) in message
        assert "an archive that `tips archive` wrote" in message
    assert "text.zip" in refused(tmp_path / "text.zip")
    assert "unknown scale" in refused(project, "no-such-scale")
    results = project / "results" / f"{SCALE}-embedded"
    shutil.move(results, tmp_path / "alone")
    assert "lies in no project" in refused(tmp_path / "alone")


def test_runs_of_two_studies_in_one_folder_are_refused(project: Path) -> None:
    results = project / "results" / f"{SCALE}-embedded"
    file = results / "runs/embedded/tips/seed-1/provenance.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"scale": "night"}))
    message = refused(results)
    assert "night" in message
    assert SCALE in message
    shutil.rmtree(results / "runs/embedded")
    assert "no run here says" in refused(results)


def test_a_scale_that_the_project_lacks_is_named(project: Path) -> None:
    (project / f"experiments/scales/{SCALE}.yaml").unlink()
    assert f"scale '{SCALE}'" in refused(project / "results" / f"{SCALE}-embedded")


@pytest.mark.parametrize("name", ["experiments/scales/link.yaml", f"results/{SCALE}-embedded/link"])
def test_links_in_anothers_folder_are_refused(project: Path, name: str) -> None:
    (project / name).symlink_to("/etc/passwd")
    assert "is a link" in refused(project)
    if name.startswith("results"):
        assert "is a link" in refused((project / name).parent)


def test_a_malformed_study_file_is_named(project: Path, tmp_path: Path) -> None:
    (project / form.STUDY).write_text('{"format": 1, "scale": "../x"}')
    assert "study.json" in refused(project)
    said = {"format": form.FORMAT, "scale": SCALE, "dataset": "other", "weights": True}
    (project / form.STUDY).write_text(json.dumps(said))
    assert "says dataset 'other', and scale" in refused(project)
    (project / form.STUDY).unlink()
    assert "unknown scale 'absent'" in refused(packed(project, tmp_path / "a.zip", "absent"))
