"""What a number depends on: files, code and what was told, stage by stage."""

from pathlib import Path

import pytest

from tips import freshness
from tips.config import MEAN_POSE, ConfigError, Study, load_study
from tips.paths import Paths, study_paths
from tips.records import RecordError

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="module")
def desk() -> Study:
    return load_study("desk", EXPERIMENTS)


@pytest.fixture
def paths(desk: Study) -> Paths:
    return study_paths(desk.scale)


def changed(study: Study, name: str, **change: object) -> Study:
    """The study with another experiment of one variant."""
    one = study.variant(name)
    other = one._replace(experiment=one.experiment.model_copy(update=change))
    return study._replace(variants=study.variants | {name: other})


def test_the_files_that_a_training_reads(desk: Study, paths: Paths) -> None:
    def files(name: str, seed: int = 0, study: Study = desk) -> dict[str, Path]:
        return freshness.training_files(study, paths, name, seed)

    first = paths.checkpoint("hrnet", "0")
    data = {"data": paths.manifest}
    assert files("hrnet") == data
    assert files("hrnet-ms") == data | {"weights": first}
    assert files("dcpose", 1) == data | {"backbone": first}
    vfit = {"interim": paths.interim("vfit") / "psnr.json"}
    assert files("tips") == data | vfit | {"backbone": first}
    assert files("concat") == files("tips-without-vfit") == data | {"backbone": first}
    assert files("groups-spectral")["groups"] == paths.groups("5")
    assert files("tips-ms")["backbone"] == paths.checkpoint("hrnet-ms", "0")


def test_a_seed_builds_on_a_backbone_of_its_own_where_backbones_are_not_shared(
    desk: Study, paths: Paths
) -> None:
    assert freshness.backbone_file(desk, paths, "tips", 2) == paths.checkpoint("hrnet", "0")
    seeds = desk.scale.seeds.model_copy(update={"shared_backbone": False})
    own = desk._replace(scale=desk.scale.model_copy(update={"seeds": seeds}))
    assert freshness.backbone_file(own, paths, "tips", 2) == paths.checkpoint("hrnet", "2")


def test_a_backbone_that_nobody_trains_is_refused(desk: Study, paths: Paths) -> None:
    backbone = desk.variant("tips").experiment.backbone.model_copy(update={"name": "hrnet_w32"})
    with pytest.raises(ConfigError, match="no single-frame variant trains its backbone"):
        freshness.training_files(changed(desk, "tips", backbone=backbone), paths, "tips", 0)


def test_the_files_that_a_prediction_and_an_evaluation_read(desk: Study, paths: Paths) -> None:
    common = {"annotations": paths.annotations("val"), "boxes": paths.boxes("detected")}
    found = freshness.prediction_files(desk, paths, "hrnet", 0, "detected")
    assert found == common | {"checkpoint": paths.checkpoint("hrnet", "0")}
    found = freshness.prediction_files(desk, paths, "tips", 2, "detected")
    assert found == common | {
        "checkpoint": paths.checkpoint("tips", "2"),
        "interim": paths.interim("vfit") / "psnr.json",
    }
    assert freshness.prediction_files(desk, paths, MEAN_POSE, 0, "gt") == {
        "train": paths.annotations("train"),
        "val": paths.annotations("val"),
        "boxes": paths.boxes("gt"),
    }
    assert freshness.evaluation_files(paths, "tips", 2, "gt") == {
        "predictions": paths.predictions("tips", "2", "gt"),
        "annotations": paths.annotations("val"),
    }


def test_a_file_that_is_missing_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.write_bytes(b"abc")
    assert freshness.digests({"data": here}) == {
        "data": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    }
    with pytest.raises(RecordError, match=r"^\S+/gone: no such file; run the rule that makes it$"):
        freshness.digests({"data": tmp_path / "gone"})
    with pytest.raises(RecordError, match=r"fetch it, or mend backbone\.weights$"):
        freshness.digests({"weights": tmp_path / "gone"})


def test_a_training_depends_on_the_parts_that_its_configuration_names(desk: Study) -> None:
    def code(name: str) -> set[str]:
        return set(freshness.training_code(desk.variant(name).experiment, desk.scale, ""))

    tips, dcpose, hrnet = code("tips"), code("dcpose"), code("hrnet")
    shared = {"stages/train.py", "training/loop.py", "losses/heatmap.py"}
    assert shared <= tips & dcpose & hrnet
    own = {f"models/tips/{part}.py" for part in ("network", "losses", "synthesizer", "settings")}
    assert own <= tips
    assert {"models/encoders/transformer/network.py"} <= tips
    assert {"models/encoders/conv/network.py"} & tips == set()
    assert "models/encoders/conv/network.py" in code("conv-conv")
    assert {"models/baselines/dcpose/network.py", "models/baselines/dcpose/rsb.py"} <= dcpose
    foreign = [
        file for file in dcpose | hrnet if file.startswith(("models/tips/", "interim/vfit/net"))
    ]
    assert foreign == []
    assert not any(file.startswith("models/baselines") for file in tips | hrnet)
    assert "models/backbones/hrnet_ms/network.py" in code("hrnet-ms") - hrnet


def test_no_training_depends_on_how_it_is_told_or_how_records_are_made(desk: Study) -> None:
    experiment = desk.variant("tips").experiment
    told = {"config/loader.py", "freshness.py", "provenance.py"}
    assert told & freshness.training_code(experiment, desk.scale).keys() == set()
    assert told & freshness.prediction_code(experiment).keys() == set()
    assert "config/loader.py" in freshness.code_of("evaluate")
    assert "stages/predict.py" in freshness.prediction_code(experiment)


def test_code_that_saves_memory_counts_where_a_scale_asks_for_it(desk: Study) -> None:
    experiment = desk.variant("tips").experiment
    saving = desk.scale.model_copy(update={"checkpointing": True})
    module = "training/memory.py"
    assert module not in freshness.training_code(experiment, desk.scale)
    assert module in freshness.training_code(experiment, saving)


@pytest.mark.parametrize(
    ("device", "endings"),
    [("", set()), ("cpu", {"h", "cpp"}), ("cuda", {"h", "cuh", "cu"})],
)
def test_kernels_count_for_the_device_that_they_served(
    desk: Study, device: str, endings: set[str]
) -> None:
    experiment = desk.variant("tips").experiment
    for found in (
        freshness.training_code(experiment, desk.scale, device),
        freshness.prediction_code(experiment, device),
    ):
        kernels = {file for file in found if file.startswith("csrc/")}
        assert {file.rpartition(".")[2] for file in kernels} <= endings
        assert ("csrc/taps.h" in kernels) == bool(device)
        assert ("csrc/deform_attn.cu" in kernels) == (device == "cuda")
        assert ("csrc/attention.h" in kernels) == (device == "cpu")
        assert ("csrc/deform_attn.cpp" in kernels) == (device == "cpu")
    every = freshness.training_code(experiment, desk.scale)
    assert {"csrc/deform_attn.cpp", "csrc/deform_attn.cu"} <= every.keys()


def test_interim_frames_depend_on_their_own_generator() -> None:
    flow, vfit = freshness.interim_code("flow"), freshness.interim_code("vfit")
    assert "interim/flow/generator.py" in flow.keys() - vfit.keys()
    assert {"interim/vfit/network.py", "interim/vfit/attention.py"} <= vfit.keys() - flow.keys()
    assert "stages/interpolate.py" in flow.keys() & vfit.keys()


def test_a_training_is_told_its_experiment_and_how_far_boxes_are_enlarged(desk: Study) -> None:
    experiment = desk.variant("tips").experiment
    told = freshness.training_meaning(experiment, desk.scale)
    assert told == experiment.meaning() | {"enlarge": 1.25}

    def digest(**change: object) -> str:
        evaluation = desk.scale.evaluation.model_copy(update=change)
        scale = desk.scale.model_copy(update={"evaluation": evaluation})
        return freshness.training_digest(experiment, scale)

    assert digest(enlarge=1.3) != digest()
    assert digest(resamples=7, batch=3, flip_test=True) == digest()


def test_a_study_s_code_changes_with_its_trainings_alone(desk: Study) -> None:
    some = {name: desk.variant(name) for name in ("hrnet", "dcpose")}
    two = desk._replace(variants=some)
    retitled = changed(two, "dcpose", title="another")
    assert freshness.trainings_code(retitled) == freshness.trainings_code(two)
    assert freshness.trainings_code(desk._replace(variants={"hrnet": some["hrnet"]})) != (
        freshness.trainings_code(two)
    )


def test_other_seeds_are_another_training_of_second_stages_alone() -> None:
    desk, again = (load_study(name, EXPERIMENTS) for name in ("desk", "desk-again"))
    for name in ("hrnet", "tips"):
        experiment = desk.variant(name).experiment
        told = [freshness.training_digest(experiment, one.scale) for one in (desk, again)]
        assert (told[0] == told[1]) == (name == "hrnet")  # the backbone is shared
        drawn = [{one.drawn_seed(name, n) for n in range(3)} for one in (desk, again)]
        assert drawn[0] == {0, 1, 2}
        assert drawn[1] == ({0, 1, 2} if name == "hrnet" else {3, 4, 5})
