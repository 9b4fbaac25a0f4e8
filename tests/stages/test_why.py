"""What `tips why` says of a finished study, and of what is stale, missing or unknown."""

import json
import shutil
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import fake_study
import pytest
import tiny_study
import yaml
from spoiled import alter_code, work_on_copy

from tips.config import MEAN_POSE, ConfigError, load_study
from tips.paths import Paths, study_paths
from tips.records import read_json, write_json
from tips.stages import evaluate, tabulate, why
from tips.tables.published import load_tables

SCALE = f"--scale={fake_study.SCALE}"
LINKS = ["metrics", "predictions", "training", "backbone hrnet", "interpolator"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder):
        runs = [("tips", 0), ("tips", 1), ("tips", 2), ("hrnet", 0), ("interim-average", 0)]
        for name, seed in (*runs, (MEAN_POSE, 0)):
            evaluate.run(name, seed, scale=fake_study.SCALE)
        evaluate.run("tips", 0, "detected", fake_study.SCALE)
        tabulate.run(fake_study.SCALE)
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy that a test may spoil, as the working folder."""
    work_on_copy(finished, tmp_path, monkeypatch)
    return study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)


def ask(what: str) -> dict[str, Any]:
    why.run(what, fake_study.SCALE, json=Path("answer.json"))
    found: dict[str, Any] = json.loads(Path("answer.json").read_text())
    return found


def value(paths: Paths, name: str, seed: int, boxes: str = "gt") -> float:
    return float(read_json(paths.metrics(name, str(seed), boxes))["total"])


def test_a_variant_is_all_its_seeds(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask("tips")
    values = [value(paths, "tips", seed) for seed in range(3)]
    assert (answer["value"], answer["sd"]) == (mean(values), stdev(values))
    assert (answer["variant"], answer["boxes"], answer["metric"]) == ("tips", "gt", "AP")
    assert (answer["state"], answer["command"], answer["shown"]) == ("current", "", None)
    assert answer["changed"] == {"files": [], "keys": [], "inputs": []}
    assert [run["seed"] for run in answer["runs"]] == [0, 1, 2]
    for run in answer["runs"]:
        assert [link["link"] for link in run["chain"]] == LINKS
        assert {link["state"] for link in run["chain"]} == {"current"}
    shown = capsys.readouterr().out
    said = f"tips: {mean(values):.2f} AP ± {stdev(values):.2f} (3 of 3 seeds), current"
    assert shown.splitlines()[0] == said
    assert "configuration: every value is its own" in shown
    assert "make it again" not in shown


def test_the_chain_holds_what_was_recorded(paths: Paths) -> None:
    metrics, predictions, training, backbone, _ = ask("tips/seed-1")["runs"][0]["chain"]
    record = read_json(paths.run("tips", "1") / "provenance.json")
    assert training["file"] == str(paths.checkpoint("tips", "1"))
    assert metrics["file"] == str(paths.metrics("tips", "1", "gt"))
    for key in ("config_digest", "data_digest", "input_digests", "machine", "commit", "steps"):
        assert training["record"][key] == record[key]
    assert "code" not in training["record"]
    assert predictions["record"]["inputs"]["checkpoint"] == metrics_input(paths)
    assert backbone["file"] == str(paths.checkpoint("hrnet", "0"))
    assert (training["since"], training["words"], training["proof"]) == ("aaaaaaa", "", None)


def metrics_input(paths: Paths) -> str:
    digest: str = read_json(paths.predicted("tips", "1", "gt"))["inputs"]["checkpoint"]
    return digest


def test_a_run_is_one_seed(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("tips/seed-1", "tips/1", "tips/seed-1/"):
        answer = ask(words)
        assert [run["seed"] for run in answer["runs"]] == [1]
        assert (answer["value"], answer["sd"]) == (value(paths, "tips", 1), None)
    assert "(1 of 1 seeds), current" in capsys.readouterr().out


def test_a_run_of_more_seeds_than_the_scale_has_may_be_asked_for(paths: Paths) -> None:
    """`snakemake --config seeds=5` made it."""
    shutil.copytree(paths.run("tips", "2"), paths.run("tips", "4"))
    assert [run["seed"] for run in ask("tips/seed-4")["runs"]] == [4]


@pytest.mark.parametrize("words", ["II (e)", "II e", "2 e", "2 (e)", " II  (e) "])
def test_a_cell_is_asked_for_as_it_is_printed(
    paths: Paths, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    answer = ask(words)
    assert (answer["variant"], len(answer["runs"])) == ("tips", 3)
    assert answer["shown"] == f"{answer['value']:.2f}"
    assert "table II, row e: " in capsys.readouterr().out


@pytest.mark.usefixtures("paths")
def test_a_row_of_words_is_a_cell_too() -> None:
    assert ask("II (HRNet)")["variant"] == "hrnet"


def test_the_predictor_without_a_network_has_two_links(paths: Paths) -> None:
    answer = ask(MEAN_POSE)
    assert [link["link"] for link in answer["runs"][0]["chain"]] == ["metrics", "predictions"]
    assert (answer["state"], answer["value"]) == ("current", value(paths, MEAN_POSE, 0))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("tisp", "no variant 'tisp', and no cell such as 'II (e)'; did you mean 'tips'?"),
        ("tips/x", "unknown run 'tips/x'; write tips/seed-0"),
        *(
            (f"tips/{run}", f"unknown run 'tips/{run}'; write tips/seed-0")
            for run in (
                "seed-00",
                "seed-\u0660",
                "seed-\u00b2",
                "seed--1",
                "seed-1_0",
                "01",
                "seed-",
            )
        ),
        ("tips/seed-" + "9" * 5000, "unknown run 'tips/seed-999"),
        *(
            (f"tips/{run}", f"unknown run 'tips/{run}'; tips has the runs seed-0 to seed-2")
            for run in ("seed-3", "seed-999", "999999")
        ),
        ("window-3/1", "unknown run 'window-3/1'; window-3 has the runs seed-0 to seed-0"),
        (
            f"{MEAN_POSE}/1",
            f"unknown run '{MEAN_POSE}/1'; {MEAN_POSE} has the runs seed-0 to seed-0",
        ),
        ("II (z)", "table II has no row 'z'; known: "),
        ("II (HRNt)", "table II has no row 'HRNt'; did you mean 'HRNet'?"),
        ("XX (e)", "no variant 'XX (e)', and no cell such as 'II (e)'; known: "),
        ("II (c)", "II (c): its variant 'distillation-only' is no row of this scale"),
    ],
)
@pytest.mark.usefixtures("paths")
def test_what_is_unknown_is_one_line_and_code_2(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny_study.command("why", words, SCALE, "--json=answer.json") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}")
    assert len(error) < 1000
    assert error.count("\n") == 1
    assert not Path("answer.json").exists()


@pytest.mark.usefixtures("paths")
def test_a_row_that_nothing_here_made_says_so() -> None:
    tables = load_tables(Path("experiments/tables.yaml"))
    table, row = next((t, r) for t in tables.tables if t.roman for r in t.rows if not r.variant)
    with pytest.raises(ConfigError, match="quoted from the paper; nothing here made it"):
        ask(f"{table.roman} ({row.row})")


def test_stale_code_is_named_with_the_command_that_trains_again(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    alter_code(paths.run("tips", "1") / "provenance.json", "models/heads.py")
    answer = ask("II (e)")
    assert (answer["state"], answer["changed"]["files"]) == ("stale", ["models/heads.py"])
    assert [run["state"] for run in answer["runs"]] == ["current", "stale", "current"]
    assert answer["command"] == "snakemake --cores all --config scale=fake stale=retrain"
    training = answer["runs"][1]["chain"][2]
    assert training["changed"] == {"files": ["models/heads.py"], "keys": [], "inputs": []}
    assert training["words"] == "models/heads.py changed since aaaaaaa"
    shown = capsys.readouterr().out
    assert "training: stale: models/heads.py changed since aaaaaaa (results/" in shown
    assert f"make it again: {answer['command']}" in shown


def test_other_code_of_a_prediction_asks_for_no_training(paths: Paths) -> None:
    alter_code(paths.predicted("tips", "0", "gt"), "stages/predict.py")
    answer = ask("tips")
    assert (answer["state"], answer["changed"]["files"]) == ("stale", ["stages/predict.py"])
    assert answer["command"] == "snakemake --cores all --config scale=fake"


def test_a_changed_key_and_a_changed_input_are_named(paths: Paths) -> None:
    told = read_json(paths.run("tips", "0") / "provenance.json")["meaning"]["training"]["epochs"]
    file = Path(f"experiments/scales/{fake_study.SCALE}.yaml")
    raw = yaml.safe_load(file.read_text())
    raw["variants"]["tips"] = {"training": {"epochs": told + 4}}
    file.write_text(yaml.safe_dump(raw))
    write_json({"dataset": "another"}, paths.manifest)
    answer = ask("tips/seed-0")
    assert answer["state"] == "stale"
    assert answer["changed"] == {
        "files": [],
        "keys": [f"training.epochs: {told} -> {told + 4}"],
        "inputs": ["backbone hrnet: data", "interpolator: data", "training: data"],
    }
    assert answer["command"] == "snakemake --cores all --config scale=fake"


def test_a_seed_that_is_missing_makes_the_whole_partial(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    paths.metrics("tips", "2", "gt").unlink()
    answer = ask("tips")
    assert answer["state"] == "partial"
    assert [run["value"] is None for run in answer["runs"]] == [False, False, True]
    assert answer["value"] == mean([value(paths, "tips", 0), value(paths, "tips", 1)])
    assert "(2 of 3 seeds), partial" in capsys.readouterr().out


def test_what_failed_or_was_never_made_says_so(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask("window-3")
    assert (answer["state"], answer["value"]) == ("missing", None)
    assert "window-3: no value (0 of 1 seeds), missing" in capsys.readouterr().out
    write_json({"reason": "loss is not finite"}, paths.run("window-3", "0") / "failed.json")
    answer = ask("window-3")
    assert answer["state"] == "failed"
    assert answer["runs"][0]["chain"][2]["words"] == "loss is not finite"


@pytest.mark.parametrize("total", [99.99, None, True, 1e308])
def test_an_edited_total_is_not_believed(
    paths: Paths, capsys: pytest.CaptureFixture[str], total: object
) -> None:
    file = paths.metrics("tips", "0", "gt")
    write_json(read_json(file) | {"total": total}, file)
    assert tiny_study.command("why", "tips", SCALE) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: total")
    assert error.count("\n") == 1


def test_a_spoilt_record_is_one_line_that_names_file_and_key(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    file = paths.run("tips", "0") / "provenance.json"
    write_json(read_json(file) | {"code": None}, file)
    assert tiny_study.command("why", "tips", SCALE) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: code: ")
    assert error.count("\n") == 1


def test_other_evidence_makes_the_value_stale_not_unreadable(paths: Paths) -> None:
    paths.evidence("tips", "0", "gt").write_bytes(b"another")
    answer = ask("tips/seed-0")
    assert answer["changed"]["inputs"] == ["metrics: evidence"]


@pytest.mark.usefixtures("paths")
def test_the_configuration_is_told_as_a_difference_to_the_parent() -> None:
    assert ask("interim-average")["configuration"] == ["interim: vfit -> average"]
    assert ask("tips")["configuration"] == []
    changes = ask("hrnet")["configuration"]
    assert "model: tips -> single_frame" in changes
    assert "window: [-2, -1, 0, 1, 2] -> [0]" in changes


@pytest.mark.usefixtures("paths")
def test_the_command_line_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_study.command("why", "II (e)", SCALE) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("II (e): ")
    assert [f"seed {seed}:" in shown for seed in range(4)] == [True, True, True, False]
    assert not Path("answer.json").exists()
