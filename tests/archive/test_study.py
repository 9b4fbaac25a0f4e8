"""What an archive of a study holds, and that its metadata keep the published profiles' rules.

The check of the metadata is offline. It is every MUST of RO-Crate 1.1, Workflow RO-Crate 1.0,
Process Run Crate 0.5 and Workflow Run Crate 0.5 that concerns what we write. Theirs is checked by
hand with roc-validator, which needs the network for the two contexts.
"""

import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fake_study import SCALE, inside

from tips.archive import form
from tips.config import ConfigError
from tips.placed import placed
from tips.provenance import file_digest
from tips.records import RecordError
from tips.stages import archive, evaluate
from tips.temporaries import visible

REPOSITORY = Path(__file__).parents[2]
RESULTS = f"results/{SCALE}-embedded"
RUN = f"{RESULTS}/runs/embedded/tips/seed-1"
Graph = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with the things that lie around it and are not to go along."""
    folder = tmp_path_factory.mktemp("project")
    with inside(folder, measured=True):
        for name in (
            *(
                f"{RESULTS}/data/embedded/images/val/a/0.jpg",
                f"{RESULTS}/state/tips/seed-0/state.pt",
            ),
            *(f"{RESULTS}/features/embedded/a/+0.npy", f"{RESULTS}/logs/train-tips-0.log"),
            *(f"{RESULTS}/mlflow.db", f"{RUN}/.predictions.12.json", f"{RUN}/own-notes.txt"),
            *("experiments/.secret.yaml", "experiments/weights.pth", "results/other/runs/x"),
            *(f"{RESULTS}/tables/table-2.csv", f"reports/{SCALE}-embedded/numbers.json"),
        ):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text("x")
    return folder


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


@pytest.fixture(scope="module")
def made(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "study.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        archive.run(path, SCALE)
    return path


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as opened:
        return set(opened.namelist())


def test_it_holds_the_study_and_nothing_else(made: Path) -> None:
    found = names(made)
    assert found >= {
        *(f"{RUN}/{name}" for name in ("predictions.json", "predicted.json", "metrics.json")),
        *(f"{RUN}/{name}" for name in ("evidence.npz", "provenance.json", "train.jsonl")),
        *(f"{RESULTS}/tables/table-2.csv", f"reports/{SCALE}-embedded/numbers.json"),
        *(f"{RESULTS}/data/embedded/{name}" for name in ("manifest.json", "annotations-val.json")),
        *("experiments/tips.yaml", f"experiments/scales/{SCALE}.yaml", "workflow/Snakefile"),
        *("LICENSE", form.STUDY, form.SUMS, form.CRATE),
        f"{RESULTS}/runs/embedded/mean-pose/seed-0/metrics.json",
        f"{RESULTS}/runs/embedded/tips/seed-0/detected/evidence.npz",
    }
    strange = ("images", "features", "state", "logs", "mlflow", "own-notes", "other", ".secret")
    assert not [one for one in found if any(part in one for part in strange)]
    assert not [one for one in found if one.endswith((".pt", ".pth", ".npy", ".jpg"))]


def test_with_weights_it_holds_those_of_every_run(
    here: Path, made: Path, tmp_path: Path, capsys: Any
) -> None:
    archive.run(tmp_path / "full.zip", SCALE, weights=True)
    more = names(tmp_path / "full.zip") - names(made)
    trained = {one.relative_to(here).as_posix() for one in here.glob(f"{RESULTS}/runs/*/*/*/*.pt")}
    assert more == {*trained, f"{RESULTS}/data/embedded/vfit/checkpoint.pt"}
    assert "with weights" in capsys.readouterr().out


def test_two_archives_of_a_study_are_equal(here: Path, made: Path, tmp_path: Path) -> None:
    for name in ("first.zip", "second.zip"):
        archive.run(tmp_path / name, SCALE)
    archive.run(tmp_path / "second.zip", SCALE)  # an earlier archive is replaced
    assert file_digest(tmp_path / "first.zip") == file_digest(made)
    assert file_digest(tmp_path / "second.zip") == file_digest(made)


def test_it_names_no_place_of_this_machine(project: Path, made: Path) -> None:
    with zipfile.ZipFile(made) as opened:
        for name in opened.namelist():
            content = opened.read(name)
            assert str(project).encode() not in content, name
            if name in (form.CRATE, form.STUDY):
                assert str(REPOSITORY).encode() not in content
                assert not re.search(rb'"/', content)


def test_scores_are_computed_anew_from_an_archive_alone(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.unpack_archive(made, tmp_path)
    monkeypatch.chdir(tmp_path)
    for run in (("tips", 1, "gt"), ("hrnet", 0, "detected"), ("mean-pose", 0, "gt")):
        with placed(None, SCALE) as found:
            metrics = found.paths.metrics(run[0], str(run[1]), run[2])
        before = metrics.read_bytes()
        metrics.unlink()
        evaluate.run(*run, SCALE)
        assert metrics.read_bytes() == before


def test_a_published_dataset_stays_with_its_owners(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(here / "experiments", "experiments")
    data = Path("results/clip-people/data/people")
    for name in ("manifest.json", "annotations-val.json", "boxes-gt.json", "truth/val/a.json"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("{}")
    run = Path("results/clip-people/runs/people/tips/seed-0")
    run.mkdir(parents=True)
    (run / "metrics.json").write_text("{}")
    archive.run(Path("clip.zip"), "clip", "people")
    kept = {name for name in names(Path("clip.zip")) if name.startswith(data.as_posix())}
    assert kept == {f"{data.as_posix()}/manifest.json"}


def test_bad_outputs_and_empty_studies_are_refused(here: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_text("mine")
    for name in ("mine.zip", "a.tar"):
        with pytest.raises(RecordError):
            archive.run(tmp_path / name, SCALE)
    assert (tmp_path / "mine.zip").read_text() == "mine"
    with pytest.raises(ConfigError, match="no run yet"):
        archive.run(tmp_path / "a.zip", "night")
    assert [one.name for one in tmp_path.iterdir()] == ["mine.zip"]


@pytest.fixture(scope="module")
def graph(made: Path) -> Graph:
    with zipfile.ZipFile(made) as opened:
        crate = json.loads(opened.read(form.CRATE))
    assert crate.keys() == {"@context", "@graph"}
    assert "https://w3id.org/ro/crate/1.1/context" in crate["@context"]
    assert "https://w3id.org/ro/terms/workflow-run/context" in crate["@context"]
    found = {entity["@id"]: entity for entity in crate["@graph"]}
    assert len(found) == len(crate["@graph"])
    return found


def ids(value: Any) -> list[str]:
    """The entities that a property links."""
    values = value if isinstance(value, list) else [value]
    return [one["@id"] for one in values if isinstance(one, dict)]


def types(entity: Mapping[str, Any]) -> set[str]:
    found = entity["@type"]
    return {found} if isinstance(found, str) else set(found)


def links(graph: Graph) -> Iterator[tuple[str, str]]:
    for entity in graph.values():
        for key, value in entity.items():
            if key != "@id":
                yield from ((key, one) for one in ids(value))


def test_the_crate_is_a_ro_crate_1_1(graph: Graph, made: Path) -> None:
    about = graph[form.CRATE]
    assert types(about) == {"CreativeWork"}
    assert ids(about["about"]) == ["./"]
    assert "https://w3id.org/ro/crate/1.1" in ids(about["conformsTo"])
    root = graph["./"]
    assert types(root) == {"Dataset"}
    assert root["name"]
    assert root["description"]
    assert date.fromisoformat(root["datePublished"])
    assert "name" in graph[ids(root["license"])[0]]
    for entity in graph.values():
        assert entity["@type"]
        values = [one for key, one in entity.items() if key != "@id"]
        assert all(
            isinstance(one, str) or set(one) == {"@id"}
            for value in values
            for one in (value if isinstance(value, list) else [value])
        ), "the graph must be flat"
    for key, name in links(graph):  # what is linked is described, or is a page of the web
        assert name in graph or (key in ("url", "identifier", "conformsTo") and "://" in name)


def test_every_file_is_in_the_archive_and_a_part_of_the_whole(graph: Graph, made: Path) -> None:
    files = {name for name, entity in graph.items() if "File" in types(entity)}
    assert files == names(made) - {form.CRATE}
    folders = {name for name, one in graph.items() if types(one) == {"Dataset"}} - {"./"}
    assert all(name.endswith("/") for name in folders)
    assert all(any(file.startswith(name) for file in files) for name in folders)
    parts = set(ids(graph["./"]["hasPart"]))
    for name in folders & parts:
        parts |= set(ids(graph[name]["hasPart"]))
    assert parts == files | folders


def test_the_crate_keeps_the_workflow_profile(graph: Graph) -> None:
    main = graph[ids(graph["./"]["mainEntity"])[0]]
    assert types(main) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    language = graph[ids(main["programmingLanguage"])[0]]
    assert types(language) == {"ComputerLanguage"}
    assert language["@id"] == "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
    assert {"name", "url", "identifier"} <= language.keys()


def test_the_crate_keeps_the_profiles_of_runs(graph: Graph) -> None:
    root = graph["./"]
    profiles = set(ids(root["conformsTo"]))
    assert profiles >= {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    assert all(types(graph[name]) == {"CreativeWork"} for name in profiles)
    actions = {name: one for name, one in graph.items() if types(one) == {"CreateAction"}}
    assert set(ids(root["mentions"])) == actions.keys()
    tools = {"SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"}
    main = ids(root["mainEntity"])[0]
    for action in actions.values():
        (tool,) = ids(action["instrument"])
        assert types(graph[tool]) & tools
        for name in (*ids(action["object"]), *ids(action["result"])):
            assert types(graph[name]) & {"File", "Dataset"}
    whole = [one for one in actions.values() if ids(one["instrument"]) == [main]]
    assert "Run of the workflow" in [one["name"] for one in whole]


def test_every_run_is_an_action_with_its_commit(graph: Graph, here: Path) -> None:
    runs = {one.parent for one in here.glob(f"{RESULTS}/runs/embedded/*/*/metrics.json")}
    actions = {ids(one["result"])[0]: one for name, one in graph.items() if name.startswith("#run")}
    assert {here / name for name in actions} == runs
    action = actions[f"{RUN}/"]
    commit = json.loads((here / RUN / "provenance.json").read_text())["commit"]
    assert graph[ids(action["instrument"])[0]]["version"] == commit
    assert "seconds 12.5" in action["description"]


def test_an_archive_holds_the_whole_workflow(made: Path) -> None:
    """A file that it lacks is one that Snakemake would miss in the unpacked archive."""
    files = {file.relative_to(REPOSITORY) for file in visible(REPOSITORY / "workflow", "**/*")}
    wanted = {file.as_posix() for file in files if (REPOSITORY / file).is_file()}
    assert "workflow/resources.yaml" in wanted
    assert wanted - names(made) == set()
