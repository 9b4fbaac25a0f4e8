"""`tips recheck`: an edit is proved harmless by training again, or refused with what differs."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_study
import pytest
import tiny_study
import torch
import yaml
from spoiled import alter_code, work_on_copy

from tips import code, freshness
from tips.chain import Judge
from tips.checkpoints import read_checkpoint
from tips.config import MEAN_POSE, digest
from tips.opened import Opened, open_study
from tips.ops import native
from tips.proofs import read_proofs
from tips.records import read_json, write_json
from tips.stages import mean_pose, predict, recheck, train
from tips.stages.recheck import Group, affected, sorted_into_groups

NAMES = ("hrnet", "tips")
WORDS = ("recheck", *tiny_study.STUDY)


def small(folder: Path) -> None:
    """The tiny study with trainings of three steps."""
    tiny_study.write(folder)
    file = folder / f"experiments/scales/{tiny_study.SCALE}.yaml"
    scale = yaml.safe_load(file.read_text())
    scale["experiment"]["training"] |= {"epochs": 1, "windows_per_epoch": 6}
    file.write_text(yaml.safe_dump(scale))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("study")
    small(folder)
    with tiny_study.prepared(folder):
        for name in NAMES:
            train.run(name, 0, tiny_study.SCALE, tiny_study.ROOT, device="cpu")
            predict.run(name, 0, "gt", tiny_study.SCALE, tiny_study.ROOT, device="cpu")
        yield folder


@pytest.fixture
def opened(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A copy of the study that a test may spoil, as the working folder."""
    work_on_copy(trained, tmp_path, monkeypatch)
    return open_study(tiny_study.SCALE, tiny_study.ROOT)


def edited(opened: Opened, *names: str, file: str = "ops/heatmap.py") -> None:
    """Makes runs look as if the code had been another when they were made."""
    for name in names:
        alter_code(opened.paths.run(name, "0") / "provenance.json", file)
        alter_code(opened.paths.predicted(name, "0", "gt"), file)


def states(opened: Opened, name: str) -> set[str]:
    judge = Judge(*opened, read_proofs(opened.paths.proofs))
    return {judge.training(name, 0).state, judge.predictions(name, 0, "gt").state}


def refused(capsys: pytest.CaptureFixture[str], opened: Opened, code: int = 1) -> str:
    """The line with which it refuses; nothing is written."""
    before = {file: file.read_bytes() for file in Path("results").rglob("*.json")}
    capsys.readouterr()
    assert tiny_study.command(*WORDS) == code
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(errors) == 1
    assert not opened.paths.proofs.exists()
    assert {file: file.read_bytes() for file in before} == before
    return errors[0]


def test_runs_record_what_decided_them_and_what_they_ran_on(opened: Opened) -> None:
    trained = read_json(opened.paths.run("tips", "0") / "provenance.json")
    predicted = read_json(opened.paths.predicted("tips", "0", "gt"))
    assert trained["code_digest"] == code.summary(trained["code"])
    told = freshness.training_meaning(opened.study.variant("tips").experiment, opened.study.scale)
    assert trained["config_digest"] == digest(told) == digest(trained["meaning"])
    assert set(trained["input_digests"]) == {"data", "interim", "backbone"}
    assert trained["data_digest"] == trained["input_digests"]["data"]
    assert set(predicted["inputs"]) == {"checkpoint", "annotations", "boxes", "interim"}
    assert predicted["settings"] == freshness.settings_of(opened.study.scale.evaluation, "predict")
    assert "decode" in predicted["settings"]
    assert "resamples" not in predicted["settings"]
    for record in (trained, predicted):
        assert (record["device"], record["kernels"]) == ("cpu", native.backend("cpu"))
        assert {"ops/heatmap.py", "models/tips/network.py"} <= record["code"].keys()
        where = ("lock_digest", "compiler", "vector_extensions", "machine", "commit", "dirty")
        assert set(where) < record.keys()
    assert len(trained["lock_digest"]) == 64
    json_again = json.loads(json.dumps(told))
    assert trained["meaning"] == json_again  # so that it compares equal for ever


def test_the_predictor_without_a_network_records_its_own(opened: Opened) -> None:
    mean_pose.run(tiny_study.SCALE, tiny_study.ROOT)
    link = Judge(*opened, ()).predictions(MEAN_POSE, 0, "gt")
    assert link.state == "current"
    assert set(link.record["inputs"]) == {"train", "val", "boxes"}
    alter_code(opened.paths.predicted(MEAN_POSE, "0", "gt"), "stages/mean_pose.py")
    assert list(Judge(*opened, ()).predictions(MEAN_POSE, 0, "gt").code) == ["stages/mean_pose.py"]


def test_a_study_of_the_present_code_needs_no_recheck(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    assert states(opened, "tips") == states(opened, "hrnet") == {"current"}
    assert tiny_study.command(*WORDS) == 0
    assert "nothing to recheck: no finished run is of other code" in capsys.readouterr().out
    assert not opened.paths.proofs.exists()


@pytest.mark.usefixtures("restored_order")
def test_equal_tensors_make_stale_runs_current_with_a_proof(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(opened, *NAMES)
    assert states(opened, "tips") == states(opened, "hrnet") == {"stale"}
    weights = {name: opened.paths.checkpoint(name, "0").read_bytes() for name in NAMES}
    assert tiny_study.command(*WORDS) == 0
    proofs = read_proofs(opened.paths.proofs)
    assert sorted(proof.covers for proof in proofs) == [((name, 0),) for name in NAMES]
    shown = capsys.readouterr().out
    for proof in proofs:
        name, _ = proof.run
        tensors = read_checkpoint(opened.paths.checkpoint(name, "0"))["model"]
        assert proof.tensors == len(tensors)
        assert proof.checkpoint == hashlib.sha256(weights[name]).hexdigest()
        for link in ("training", "predictions"):
            ((file, (then, after)),) = proof.changes[link].items()
            assert (file, then) == ("ops/heatmap.py", "of another version")
            assert after not in (None, then)
        assert f"{name}/seed-0: all {len(tensors)} tensors and every pose are equal" in shown
    judge = Judge(*opened, proofs)
    for name in NAMES:
        for link in (judge.training(name, 0), judge.predictions(name, 0, "gt")):
            assert (link.state, link.proof) == (
                "current",
                next(proof for proof in proofs if proof.run[0] == name),
            )
        assert opened.paths.checkpoint(name, "0").read_bytes() == weights[name]
        assert not list(opened.paths.rechecked(name, "0").glob("*.pt"))
    assert tiny_study.command(*WORDS) == 0
    assert "nothing to recheck" in capsys.readouterr().out


@pytest.mark.usefixtures("restored_order")
def test_one_other_weight_is_named_and_nothing_is_marked(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(opened, *NAMES)
    file = opened.paths.checkpoint("tips", "0")
    saved = torch.load(file, weights_only=True)
    name = sorted(saved["model"])[5]
    saved["model"][name] = saved["model"][name] + 1e-3
    torch.save(saved, file)
    count = len(saved["model"])
    assert refused(capsys, opened) == (
        f"error: tips/seed-0: 1 of {count} tensors differ, the first is '{name}'; no run was marked"
    )
    assert states(opened, "hrnet") == {"stale"}  # though its own group is equal


@pytest.mark.usefixtures("restored_order")
def test_poses_that_differ_are_refused_as_weights_are(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(opened, "hrnet")
    file = opened.paths.predictions("hrnet", "0", "gt")
    found = read_json(file)
    pose = next(f["poses"][0] for s in found["sequences"] for f in s["frames"] if f["poses"])
    pose["joints"][0][0] += 0.001
    write_json(found, file)
    assert refused(capsys, opened) == (
        "error: hrnet/seed-0: equal weights, but other poses on gt boxes; no run was marked"
    )


@pytest.mark.usefixtures("restored_order")
def test_kernels_that_do_not_serve_here_are_a_line(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(opened, "hrnet")
    file = opened.paths.run("hrnet", "0") / "provenance.json"
    record = read_json(file)
    other = "torch" if record["kernels"] == "cpp" else "cpp"
    write_json(record | {"kernels": other}, file)
    assert refused(capsys, opened, code=2).startswith(
        f"error: hrnet/seed-0: trained with kernels '{other}', which do not serve here; run"
    )


@pytest.mark.usefixtures("opened")
def test_a_scale_that_does_not_exist_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_study.command("recheck", "--scale=tny") == 2
    assert capsys.readouterr().err.startswith("error: unknown scale 'tny'; did you mean 'tiny'?")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake")
    with fake_study.inside(folder):
        return folder


LINES: dict[str, frozenset[tuple[str, int]]] = {}  # that a variant passes; none where not given


@pytest.fixture
def fake(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A study without data, whose first steps are not run: they pass the lines of LINES."""
    work_on_copy(finished, tmp_path, monkeypatch)
    monkeypatch.setattr(
        recheck,
        "lines_run",
        lambda call, files: LINES.get(call.args[1].run[0], frozenset()),
    )
    return open_study(fake_study.SCALE)


def groups(opened: Opened) -> dict[str, Group]:
    """The groups by the run that would be made again."""
    found = sorted_into_groups(opened, affected(Judge(*opened, ()), opened))
    return {"{}/{}".format(*group.runs[0]): group for group in found}


def record(opened: Opened, name: str, seed: int = 0) -> Path:
    return opened.paths.run(name, str(seed)) / "provenance.json"


def change(file: Path, **values: Any) -> None:
    write_json(read_json(file) | values, file)


def test_runs_of_other_parts_are_groups_of_their_own_and_the_cheapest_is_made_again(
    fake: Opened,
) -> None:
    for name in ("hrnet", "dcpose", "groups-1", "groups-3", "concat-wide"):
        alter_code(record(fake, name), "training/loop.py")
    for seed in range(3):
        alter_code(record(fake, "tips", seed), "training/loop.py")
    change(record(fake, "groups-3"), seconds=3.0)
    change(record(fake, "tips", 1), seconds=2.0)
    found = groups(fake)
    assert {name: set(group.runs) for name, group in found.items()} == {
        "hrnet/0": {("hrnet", 0)},
        "dcpose/0": {("dcpose", 0)},
        "concat-wide/0": {("concat-wide", 0)},
        "tips/1": {*(("tips", seed) for seed in range(3)), ("groups-1", 0), ("groups-3", 0)},
    }
    assert found["tips/1"].runs[:2] == (("tips", 1), ("groups-3", 0))
    assert {group.files for group in found.values()} == {"training/loop.py"}


def test_runs_that_pass_other_lines_are_a_group_of_their_own(
    fake: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("groups-1", "groups-3"):
        alter_code(record(fake, name), "training/loop.py")
    assert len(groups(fake)) == 1
    monkeypatch.setitem(LINES, "groups-3", frozenset({("loop.py", 7)}))
    assert set(groups(fake)) == {"groups-1/0", "groups-3/0"}


def test_runs_of_another_change_are_a_group_of_their_own(fake: Opened) -> None:
    alter_code(record(fake, "tips", 0), "training/loop.py")
    alter_code(record(fake, "tips", 1), "training/loop.py", "of a third version")
    alter_code(fake.paths.predicted("tips", "2", "gt"), "stages/predict.py")
    found = groups(fake)
    assert {name: group.runs for name, group in found.items()} == {
        f"tips/{seed}": (("tips", seed),) for seed in range(3)
    }
    assert list(found["tips/2"].predictions) == ["stages/predict.py"]
    assert not found["tips/2"].training


def test_runs_that_must_be_trained_again_anyway_are_left_out(
    fake: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("hrnet", "dcpose", "tips", "groups-1"):
        alter_code(record(fake, name), "training/loop.py")
    told = read_json(record(fake, "dcpose"))["meaning"]
    change(record(fake, "dcpose"), meaning=told | {"width": 7})
    fake.paths.checkpoint("groups-1", "0").unlink()
    inputs = read_json(record(fake, "tips"))["input_digests"]
    change(record(fake, "tips"), input_digests=inputs | {"backbone": "another"})
    predicted = read_json(fake.paths.predicted("hrnet", "0", "gt"))
    assert list(groups(fake)) == ["hrnet/0"]
    said = [message for message in caplog.messages if "left out" in message]
    assert [line.partition(":")[0] for line in said] == ["tips/seed-0", "dcpose/seed-0"]
    assert "training/loop.py, width changed since aaaaaaa" in said[1]
    for changed in ("settings", "inputs"):  # its poses would be others, whatever the code
        values = {"decode": "plain"} if changed == "settings" else {"boxes": "another"}
        write_json(
            predicted | {changed: predicted[changed] | values},
            fake.paths.predicted("hrnet", "0", "gt"),
        )
        caplog.clear()
        assert groups(fake) == {}
        said = [line.partition(": ")[2] for line in caplog.messages if "hrnet/seed-0" in line]
        named = "decode" if changed == "settings" else "boxes (what it read)"
        assert said == [f"left out, {named} changed since aaaaaaa"]
