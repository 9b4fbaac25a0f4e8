"""The chain behind a number on a finished study: what is current, what is stale and why."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fake_study
import pytest
import yaml
from spoiled import work_on_copy

from tips import code, freshness
from tips.chain import Judge, Link, differences, served, worst
from tips.config import MEAN_POSE, load_study
from tips.paths import Paths, study_paths
from tips.proofs import Proof
from tips.records import RecordError, read_json, write_json
from tips.stages import evaluate

ROOT = Path(__file__).parents[1]
HEADS = "models/heads.py"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder):
        for name in ("tips", "hrnet", "dcpose", MEAN_POSE):
            evaluate.run(name, 0, scale=fake_study.SCALE)
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy that a test may spoil, as the working folder."""
    work_on_copy(finished, tmp_path, monkeypatch)
    return study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)


def judge(*proofs: Proof, contents: bool = True) -> Judge:
    study = load_study(fake_study.SCALE, Path("experiments"))
    return Judge(study, study_paths(study.scale), proofs, contents=contents)


def states(name: str, **options: Any) -> dict[str, str]:
    return {link.name: link.state for link in judge(**options).chain(name, 0, "gt")}


def change(file: Path, **values: Any) -> dict[str, Any]:
    """Changes keys of a record, and returns it as it was."""
    before: dict[str, Any] = read_json(file)
    write_json(before | values, file)
    return before


def change_code(file: Path, **files: str | None) -> dict[str, str]:
    """Says in a record that files of the code were others, or not there."""
    before: dict[str, str] = read_json(file)["code"]
    names = {name.replace("__", "/") + ".py": value for name, value in files.items()}
    after = {name: value for name, value in (before | names).items() if value is not None}
    change(file, code=after)
    return before


def record(paths: Paths, name: str = "tips") -> Path:
    return paths.run(name, "0") / "provenance.json"


def change_scale(key: str, **values: Any) -> None:
    file = Path(f"experiments/scales/{fake_study.SCALE}.yaml")
    raw = yaml.safe_load(file.read_text())
    raw[key] |= values
    file.write_text(yaml.safe_dump(raw))


LINKS = ("metrics", "predictions", "training", "backbone hrnet", "interpolator")  # of tips


@pytest.mark.usefixtures("paths")
def test_a_finished_study_is_current_link_by_link() -> None:
    assert states("tips") == dict.fromkeys(LINKS, "current")
    assert states("dcpose") == dict.fromkeys(LINKS[:4], "current")
    assert states("hrnet") == dict.fromkeys(LINKS[:3], "current")
    assert states(MEAN_POSE) == dict.fromkeys(LINKS[:2], "current")
    assert {link.words for link in judge().chain("tips", 0, "gt")} == {""}


def test_every_seed_of_every_run_is_current(paths: Paths) -> None:
    one = judge()
    for name, variant in one.study.variants.items():
        if paths.run(name, "0").exists():
            found = {one.training(name, seed).state for seed in range(variant.seeds)}
            assert found == {"current"}, name


def test_a_file_of_the_code_that_was_another_is_named(paths: Paths) -> None:
    now = change_code(record(paths), models__heads="then")
    link = judge().training("tips", 0)
    assert (link.state, link.code) == ("stale", {HEADS: ("then", now[HEADS])})
    assert link.words == "models/heads.py changed since aaaaaaa"
    assert (link.keys, link.inputs, link.proof) == ((), (), None)
    assert states("tips") == dict.fromkeys(LINKS, "current") | {"training": "stale"}
    change(record(paths), dirty=True)
    assert judge().training("tips", 0).since == "aaaaaaa + changes"


def test_the_interpolator_s_training_is_part_of_the_rows_that_see_its_frames(paths: Paths) -> None:
    change_code(paths.vfit.with_name("provenance.json"), training__loop="then")
    link = judge().interpolator()
    assert link.words == "training/loop.py changed since aaaaaaa"
    assert states("tips") == dict.fromkeys(LINKS, "current") | {"interpolator": "stale"}
    assert [one.name for one in judge().trainings("tips", 0)] == list(LINKS[2:])
    assert set(states("dcpose").values()) == {"current"}
    now = link.code["training/loop.py"][1]
    found = proof("interpolator", "then", now, ("vfit", 0), file="training/loop.py")
    assert judge(found).interpolator().state == "current"


def test_files_that_came_or_went_are_named_with_all_others(paths: Paths) -> None:
    now = change_code(record(paths), models__heads=None, models__gone="then")
    link = judge().training("tips", 0)
    assert link.code == {"models/gone.py": ("then", None), HEADS: (None, now[HEADS])}
    assert link.words == "models/gone.py, models/heads.py changed since aaaaaaa"


def test_the_code_of_predictions_and_metrics_counts_by_itself(paths: Paths) -> None:
    change_code(paths.predicted("tips", "0", "gt"), ops__crop="then")
    change_code(paths.metrics("tips", "0", "gt"), evaluation__matching="then")
    links = {link.name: link for link in judge().chain("tips", 0, "gt")}
    assert links["predictions"].words == "ops/crop.py changed since aaaaaaa"
    assert links["metrics"].words == "evaluation/matching.py changed"
    assert links["training"].state == "current"


def test_a_key_of_the_configuration_is_named_with_both_values(paths: Paths) -> None:
    told = read_json(record(paths))["meaning"]
    epochs, width = told["training"]["epochs"], told["width"]
    change_scale("variants", tips={"training": {"epochs": epochs + 1}, "width": 2 * width})
    link = judge().training("tips", 0)
    assert link.keys == (
        f"training.epochs: {epochs} -> {epochs + 1}",
        f"width: {width} -> {2 * width}",
    )
    assert (link.state, link.code) == ("stale", {})
    assert link.words == "training.epochs, width changed since aaaaaaa"
    assert judge().training("dcpose", 0).state == "current"
    assert judge().predictions("tips", 0, "gt").state == "current"


@pytest.mark.usefixtures("paths")
def test_what_means_nothing_makes_nothing_stale() -> None:
    file = Path("experiments/tips.yaml")
    file.write_text("# a comment\n" + file.read_text().replace("title: TIPS", "title: Tips"))
    change_scale("seeds", default=7)
    assert states("tips") == dict.fromkeys(LINKS, "current")


@pytest.mark.usefixtures("paths")
def test_settings_of_the_evaluation_count_where_they_are_read() -> None:
    change_scale("evaluation", decode="plain")
    found = {link.name: link for link in judge().chain("tips", 0, "gt")}
    assert found["predictions"].keys == ("decode: quarter -> plain",)
    assert found["training"].state == found["metrics"].state == "current"
    change_scale("evaluation", decode="quarter", oks_area=0.6)
    found = {link.name: link for link in judge().chain("tips", 0, "gt")}
    assert found["metrics"].keys == ("oks_area: 0.53 -> 0.6",)
    assert found["training"].state == found["predictions"].state == "current"
    change_scale("evaluation", oks_area=0.53, enlarge=1.5)  # windows are cut by it
    assert {state for name, state in states("tips").items() if name != "interpolator"} == {"stale"}


def test_a_file_that_was_read_and_is_another_now_is_named(paths: Paths) -> None:
    write_json({"dataset": "another"}, paths.manifest)
    link = judge().training("tips", 0)
    assert (link.state, link.inputs) == ("stale", ("data",))
    assert link.words == "data (what it read) changed since aaaaaaa"
    assert states("hrnet") == {"metrics": "current", "predictions": "current", "training": "stale"}
    assert judge(contents=False).training("tips", 0).state == "current"
    paths.manifest.unlink()
    assert judge().training("tips", 0).inputs == ("data",)


def test_a_backbone_that_was_trained_again_makes_what_builds_on_it_stale(paths: Paths) -> None:
    paths.checkpoint("hrnet", "0").write_text("other weights")
    assert judge().training("tips", 0).inputs == ("backbone",)
    assert judge().training("hrnet", 0).state == "current"
    assert judge().predictions("hrnet", 0, "gt").inputs == ("checkpoint",)


def test_what_is_missing_and_what_failed(paths: Paths) -> None:
    assert set(states("window-3").values()) == {"missing", "current"}  # the backbone is there
    record(paths, "hrnet").unlink()
    assert states("hrnet")["training"] == "missing"
    paths.checkpoint("tips", "0").unlink()
    assert judge().training("tips", 0).state == "missing"
    write_json({"reason": "loss is not finite"}, paths.run("tips", "0") / "failed.json")
    link = judge().training("tips", 0)
    assert (link.state, link.words) == ("failed", "loss is not finite")


def test_a_record_that_does_not_say_its_code_is_stale(paths: Paths) -> None:
    before = read_json(record(paths))
    del before["code"]
    write_json(before, record(paths))
    link = judge().training("tips", 0)
    assert (link.state, link.words) == ("stale", "made by a version that did not record its code")


def test_a_malformed_record_is_one_line(paths: Paths) -> None:
    write_json([1], record(paths))
    with pytest.raises(RecordError, match=r"provenance\.json: the file: .*; delete the file"):
        judge().training("tips", 0)


SPOILT = ("null", "NaN", "1" + 400 * "0", "[]", '"x"', '{"a": null}', "1e400")


@pytest.mark.parametrize("value", SPOILT)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("provenance", key) for key in ("code", "input_digests")),
        *(("predicted", key) for key in ("code", "inputs")),
        *(("metrics", key) for key in ("code", "inputs")),
    ],
)
def test_a_key_with_another_type_is_one_line(paths: Paths, name: str, key: str, value: str) -> None:
    file = next(one for one in (record(paths), beside(paths, name)) if one.stem == name)
    change(file, **{key: "here"})
    file.write_text(file.read_text().replace('"here"', value))
    with pytest.raises(RecordError, match=rf"{name}\.json: {key}.*; delete the file") as caught:
        judge().chain("tips", 0, "gt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", SPOILT[:5])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("provenance", key) for key in ("meaning", "seconds", "threads", "commit", "machine")),
        *(("predicted", "settings"), ("metrics", "settings")),
    ],
)
def test_settings_and_circumstances_have_types_too(
    paths: Paths, name: str, key: str, value: str
) -> None:
    if (key, value) in (("commit", '"x"'), ("machine", '"x"')):
        return
    test_a_key_with_another_type_is_one_line(paths, name, key, value)


def beside(paths: Paths, name: str) -> Path:
    files = {"predicted": paths.predicted("tips", "0", "gt")}
    return files.get(name, paths.metrics("tips", "0", "gt"))


def test_a_state_of_the_checkout_that_is_unknown_is_said(paths: Paths) -> None:
    change_code(record(paths), models__heads="then")
    change(record(paths), dirty=None, dirty_reason="git refuses")
    assert judge().training("tips", 0).since == "aaaaaaa + unknown changes (git refuses)"
    change(record(paths), commit="unknown")
    assert judge().training("tips", 0).since == "unknown (git refuses)"


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Edits a copy of the package, whose code is then the present one."""
    copy = tmp_path / "tips"
    for name in ("tips", "csrc"):
        ignored = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    monkeypatch.setattr(code, "used", partial(code.used, package=copy))

    def change_file(file: str, old: str, new: str) -> None:
        path = copy.parent / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change_file


@pytest.mark.usefixtures("paths")
def test_an_edit_makes_those_runs_stale_that_use_it(edit: Callable[..., None]) -> None:
    edit(
        "tips/models/tips/synthesizer.py",
        "\n        super().__init__()",
        "\n        super().__init__()  # why\n        int()",
    )
    stale = judge().training("tips", 0)
    assert (stale.state, list(stale.code)) == ("stale", ["models/tips/synthesizer.py"])
    assert {judge().training(name, 0).state for name in ("hrnet", "dcpose")} == {"current"}
    edit("tips/models/baselines/dcpose/rsb.py", "from which DCPose", "of which DCPose")
    assert judge().training("dcpose", 0).state == "current"  # words are no code


def as_with_kernels(paths: Paths, device: str) -> None:
    """Says that compiled kernels of a device served a run."""
    one = judge().study
    made_by = freshness.training_code(one.variant("tips").experiment, one.scale, device)
    change(record(paths), kernels="cpp", device=device, code=made_by)


def test_kernels_count_where_they_served(paths: Paths, edit: Callable[..., None]) -> None:
    def training() -> Link:
        return judge().training("tips", 0)

    as_with_kernels(paths, "cpu")
    assert training().state == "current"
    edit("csrc/deform_attn.cu", "#include", "static const int novel = 3;\n#include")
    assert training().state == "current"
    edit("csrc/attention.h", "#pragma once", "#pragma once\nstatic const int novel = 3;")
    assert (training().state, list(training().code)) == ("stale", ["csrc/attention.h"])
    change(record(paths), kernels="torch", code=freshness_of_torch())
    assert training().state == "current"
    as_with_kernels(paths, "cuda")
    edit("csrc/deform_attn.cu", "novel = 3", "novel = 4")
    assert list(training().code) == ["csrc/deform_attn.cu"]


def freshness_of_torch() -> dict[str, str]:
    one = judge().study
    return freshness.training_code(one.variant("tips").experiment, one.scale, "")


@pytest.mark.parametrize(
    ("said", "device"),
    [
        ({"kernels": "torch", "device": "cpu"}, ""),
        ({"kernels": "cpp", "device": "cpu"}, "cpu"),
        ({"kernels": "cpp", "device": "cuda"}, "cuda"),
        ({}, ""),
    ],
)
def test_whose_kernels_served(said: dict[str, str], device: str) -> None:
    assert served(said) == device


def proof(
    link: str, then: str, now: str | None, *covers: tuple[str, int], file: str = HEADS
) -> Proof:
    return Proof(
        run=covers[0],
        covers=covers,
        changes={link: {file: (then, now)}},
        tensors=9,
        checkpoint="c" * 64,
        commit="b" * 40,
        time="2026-11-22 10:00 UTC",
        seconds=1.0,
        machine="a test",
    )


def test_a_proof_makes_a_run_current_and_stands_beside_it(paths: Paths) -> None:
    now = change_code(record(paths), models__heads="then")[HEADS]
    good = proof("training", "then", now, ("hrnet", 0), ("tips", 0))
    link = judge(good).training("tips", 0)
    assert (link.state, link.proof, link.code) == ("current", good, {})
    for other in (
        proof("training", "then", now, ("hrnet", 0)),
        proof("training", "else", now, ("tips", 0)),
        proof("predictions", "then", now, ("tips", 0)),
    ):
        assert judge(other).training("tips", 0).state == "stale"
    early, late = (proof("training", a, b, ("tips", 0)) for a, b in (("then", "mid"), ("mid", now)))
    assert judge(early, late).training("tips", 0).state == "current"
    assert judge(late, early).training("tips", 0).code == {HEADS: ("mid", now)}


def test_no_proof_makes_another_configuration_current(paths: Paths) -> None:
    now = change_code(record(paths), models__heads="then")[HEADS]
    change_scale("variants", tips={"width": 8})
    link = judge(proof("training", "then", now, ("tips", 0))).training("tips", 0)
    assert (link.state, link.code, len(link.keys)) == ("stale", {}, 1)


def test_differences_are_named_by_place() -> None:
    then = {"a": {"b": 1, "c": [1, 2]}, "gone": 2, "same": (1, 2)}
    now = {"a": {"b": 2, "c": [1, 3]}, "new": None, "part": {"x": 1}, "same": [1, 2]}
    assert differences(then, now) == [
        "a.b: 1 -> 2",
        "a.c: [1, 2] -> [1, 3]",
        "gone: 2 -> none",
        "part: none -> given",
    ]
    assert differences(now, now) == []


def test_a_whole_is_as_its_worst_part() -> None:
    assert worst(["current", "stale", "missing", "failed"]) == "failed"
    assert worst(["current", "missing", "stale"]) == "missing"
    assert worst(["current", "stale"]) == "stale"
    assert worst([]) == "missing"
