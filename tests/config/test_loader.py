import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tips.config import (
    ConfigError,
    digest,
    load_experiment,
    load_scale,
    load_study,
    needs_root,
    overlay,
)
from tips.config.layers import read_yaml

MINE = "ablation/mine.yaml"


def write(experiments: Path, text: str, name: str = MINE) -> Path:
    path = experiments / name
    path.write_text(text, encoding="utf-8")
    return path


def child(experiments: Path, body: str, name: str = MINE) -> Path:
    return write(experiments, f"extends: ../tips.yaml\ntitle: mine\n{body}\n", name)


def refusal(experiments: Path, scale: str = "smoke", root: str | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        load_study(scale, experiments, root)
    message = str(refused.value)
    assert "\n" not in message
    return message


WINDOW = "window must contain 0, the frame whose pose is estimated; got [-2, 2]"
GROUPS = "distillation: {groups: {source: listed, count: 2, parts: %s}}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("traning: {epochs: 3}", "traning: unknown key; did you mean 'training'?"),
        ("training: {epoch: 3}", "training.epoch: unknown key; did you mean 'epochs'?"),
        (
            "synthesis: {encoder: {layer: 3}}",
            "synthesis.encoder.layer: unknown key; did you mean 'layers'?",
        ),
        ("losses: {quark: 1}", "losses.quark: unknown key; known: anchor, "),
        ("window: [-2, 2]", f"window: {WINDOW}"),
        ("window: [-2, 0, 2]", "window: window must be consecutive frames; got [-2, 0, 2]"),
        ("window: [0]", "the file: synthesis needs two frames or more; window is [0]"),
        (
            "synthesis: {points: [[1.5, 1.0]]}",
            "synthesis.points: alpha + beta must be 2 with both in [0, 2] (Eq. 15); got [1.5, 1.0]",
        ),
        ("synthesis: {points: [[3.0, -1.0]]}", "synthesis.points: alpha + beta must be 2"),
        ("synthesis: {points: []}", "synthesis.points: Tuple should have at least 1 item"),
        (
            "distillation: {groups: {count: 4}}",
            "distillation.groups: Table V has groups for N = 1, 3, 5, 8, 15; got 4",
        ),
        (
            GROUPS % "[[nose], [head_top]]",
            "groups must hold each of the 15 joints once and none may be empty; twice: none; "
            "missing: right_ankle, right_knee",
        ),
        (GROUPS % "[[nose, nose], [thumb]]", "distillation.groups: unknown joint 'thumb'"),
        (
            "distillation: {groups: {source: listed}}",
            "distillation.groups: `parts` is given exactly when source is `listed`",
        ),
        ("training: {epochs: 0}", "training.epochs: Input should be greater than 0 (got 0)"),
        ("training: {epochs: many}", "training.epochs: Input should be a valid integer"),
        (
            "training: {milestones: [0.8, 0.4]}",
            "training.milestones: milestones are rising shares of all steps in (0, 1); got",
        ),
        (
            "model: single_frame\nwindow: [-1, 0]",
            "window: model single_frame takes window [0]; got [-1, 0]",
        ),
        ("interim: vift", "interim: unknown generator 'vift'; did you mean 'vfit'?"),
    ],
)
def test_mistakes_are_one_line_with_file_key_and_rule(
    experiments: Path, body: str, says: str
) -> None:
    path = child(experiments, body)
    message = refusal(experiments)
    assert message.startswith(f"{path}: ")
    assert says in message


def test_a_rule_that_an_inherited_value_breaks_names_the_file_it_stands_in(
    experiments: Path,
) -> None:
    child(experiments, "model: single_frame")
    assert refusal(experiments) == (
        f"{experiments}/ablation/../tips.yaml: window: model single_frame takes window [0]; "
        "got [-2, -1, 0, 1, 2]"
    )


def test_a_crop_is_divisible_by_the_coarsest_stride(experiments: Path) -> None:
    # The scale's overlay lies below the experiment's own file.
    path = child(experiments, "crop: {width: 48}")
    assert refusal(experiments) == (
        f"{path}: crop.width: must be divisible by 32, the backbone's coarsest stride; got 48"
    )


def test_a_missing_value_is_named(experiments: Path) -> None:
    path = experiments / "tips.yaml"
    whole = yaml.safe_load(path.read_text())
    del whole["head"]["start"]
    path.write_text(yaml.safe_dump(whole))
    with pytest.raises(ConfigError, match=r"tips\.yaml: head\.start: this key must be given"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("window: [1, 2", "not YAML: while parsing a flow sequence"),
        ("a: b: c", "not YAML: mapping values are not allowed in this context"),
        ("a: {b: 1, b: 2}", "not YAML: key 'b' is given twice; remove one"),
        ("- a list", "must hold keys and values; got list"),
        ("", "must hold keys and values; got NoneType"),
        ("extends: ../tipps.yaml", "extends: no file '../tipps.yaml'"),
        ("extends: mine.yaml\ntitle: x", "extends: mine.yaml extends this file in turn"),
    ],
)
def test_files_that_are_no_experiments(experiments: Path, text: str, says: str) -> None:
    path = write(experiments, text)
    assert refusal(experiments).startswith(f"{path}: {says}")


def test_bytes_that_are_no_text(experiments: Path) -> None:
    (experiments / MINE).write_bytes(b"title: \xff\xfe")
    assert "mine.yaml: not YAML: 'utf-8' codec can't decode" in refusal(experiments)


def test_two_variants_of_one_name(experiments: Path) -> None:
    path = child(experiments, "", "controls/window-3.yaml")
    assert refusal(experiments) == (
        f"{path}: a variant named 'window-3' exists already; rename the file"
    )


def test_an_unknown_variant_names_the_nearest(experiments: Path) -> None:
    study = load_study("smoke", experiments)
    with pytest.raises(ConfigError) as refused:
        study.variant("conact")
    assert str(refused.value) == "unknown variant 'conact'; did you mean 'concat'?"


def spoil_scale(experiments: Path, name: str, **change: Any) -> None:
    path = experiments / "scales" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": ["hrnet", "tpis"]}, "scale smoke: unknown variant 'tpis'; did you mean 'tips'?"),
        ({"variants": {"hrnt": {}}}, "scale smoke: unknown variant 'hrnt'; did you mean 'hrnet'?"),
        ({"resample": 3}, "smoke.yaml: resample: unknown key; did you mean 'resamples'?"),
        ({"pictures": 0}, "smoke.yaml: pictures: Input should be greater than 0"),
        (
            {"variants": {"tips": {"window": [1, 2]}}},
            "scale 'smoke': variants.tips.window: window must contain 0",
        ),
        (
            {"experiment": {"intrim": "flow"}},
            "scale 'smoke': experiment.intrim: unknown key; did you mean 'interim'?",
        ),
        (
            {"variants": {"hrnet": {"training": {"epoch": 3}}}},
            "scale 'smoke': variants.hrnet.training.epoch: unknown key; did you mean 'epochs'?",
        ),
        ({"without": ["intrim"]}, "scale smoke: without: no folder 'intrim'; did you mean"),
        (
            {"interim": ["flwo"]},
            "smoke.yaml: interim: unknown generator 'flwo'; did you mean 'flow'?",
        ),
    ],
)
def test_mistakes_of_a_scale(experiments: Path, change: dict[str, Any], says: str) -> None:
    spoil_scale(experiments, "smoke", **change)
    if "resample" in change:
        path = experiments / "scales/smoke.yaml"
        raw = yaml.safe_load(path.read_text())
        del raw["resample"]
        raw["evaluation"]["resample"] = 3
        path.write_text(yaml.safe_dump(raw))
        says = "smoke.yaml: evaluation.resample: unknown key; did you mean 'resamples'?"
    assert says in refusal(experiments)


def test_scales_that_do_not_exist_or_lack_a_dataset(experiments: Path) -> None:
    assert refusal(experiments, "smokee") == "unknown scale 'smokee'; did you mean 'smoke'?"
    assert refusal(experiments, "clip") == (
        f"{experiments}/scales/clip.yaml: dataset.root: scale 'clip' needs a dataset folder; "
        "add --root FOLDER (snakemake: --config root=FOLDER, make: ROOT=FOLDER)"
    )
    assert load_scale("clip", experiments, "/some/where").dataset.root == "/some/where"


def test_a_scale_over_another_has_a_name_of_its_own(experiments: Path) -> None:
    path = experiments / "scales/mine.yaml"
    path.write_text("extends: smoke.yaml\npictures: 1\n")
    assert refusal(experiments, "mine") == (
        f"{path}: name: 'smoke' is what smoke.yaml calls itself, and the results of one would "
        "write over the other's; give a name of its own"
    )
    path.write_text("extends: smoke.yaml\nname: mine\npictures: 1\n")
    assert load_scale("mine", experiments).pictures == 1
    path.write_text("extends: smoke.yaml\nname: mine\ntypo: 1\n")
    assert load_scale("smoke", experiments).name == "smoke", "another's mistake is no matter of it"


def test_other_rows_are_variants(experiments: Path) -> None:
    path = experiments / "scales/smoke.yaml"
    raw = yaml.safe_load(path.read_text())
    raw["evaluation"]["other_rows"] = ["tisp"]
    path.write_text(yaml.safe_dump(raw))
    assert refusal(experiments) == "scale smoke: unknown variant 'tisp'; did you mean 'tips'?"


def test_a_merged_key_may_be_given_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, y: 4}\n")
    assert read_yaml(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": {"x": 3, "y": 4}}


def test_outside_the_repository_there_are_no_scales(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scales: no scales here; run in the repository"):
        load_scale("desk", tmp_path)


def test_null_removes_a_part_and_details_do_not_bring_it_back(experiments: Path) -> None:
    path = child(experiments, "synthesis: null\ndistillation: null")
    smoke = load_scale("smoke", experiments)
    assert smoke.experiment["synthesis"] == {
        "encoder": {"layers": 1, "heads": 2, "feedforward": 32, "dropout": 0.0}
    }
    found = load_experiment(path, smoke)
    assert found.synthesis is None
    assert found.distillation is None
    assert found.width == smoke.experiment["width"]


def test_layers_lie_in_order(experiments: Path) -> None:
    """Parent, scale, own file, the scale's word on this one variant."""
    path = child(experiments, "width: 24\ntraining: {epochs: 7}")
    smoke = load_scale("smoke", experiments)
    assert load_experiment(path).training.epochs == 7
    assert load_experiment(path).blocks == 3
    on_scale = load_experiment(path, smoke)
    assert (on_scale.width, on_scale.training.epochs, on_scale.blocks) == (24, 7, 1)
    last = smoke.model_copy(update={"variants": {"mine": {"training": {"epochs": 9}}}})
    assert load_experiment(path, last).training.epochs == 9


def test_overlay_merges_mappings_and_replaces_the_rest() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert overlay(base, {"a": {"c": [9]}, "e": None}) == {
        "a": {"b": 1, "c": [9]},
        "d": 3,
        "e": None,
    }
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


def test_a_new_file_is_a_new_variant(experiments: Path) -> None:
    child(experiments, "blocks: 2")
    study = load_study("smoke", experiments)
    assert study.variants["mine"].kind == "ablation"
    assert study.variants["mine"].seeds == 1
    assert load_study("smoke", experiments, seeds=3).variants["mine"].seeds == 3
    assert load_study("smoke", experiments, seeds=3).variants["hrnet"].seeds == 1


@pytest.mark.parametrize("scale", ["desk", "smoke", "night"])
def test_a_scale_that_renders_its_data_takes_no_folder(experiments: Path, scale: str) -> None:
    """It would render over the user's frames."""
    assert refusal(experiments, scale, "/data/posetrack18") == (
        f"--root /data/posetrack18: scale '{scale}' renders its own data and takes no folder; "
        "leave it out, or choose a scale for your own data (make: SCALE=clip)"
    )


def test_every_committed_file_loads_at_every_scale(experiments: Path) -> None:
    scales = sorted(path.stem for path in (experiments / "scales").glob("*.yaml"))
    for name in scales:
        root = "anywhere" if needs_root(name, experiments) else None
        study = load_study(name, experiments, root)
        assert "tips" in study.variants
        digests = {digest(variant.experiment) for variant in study.variants.values()}
        assert len(digests) == len(study.variants), f"two rows of {name} are one training"


def test_a_model_of_posetrack_s_joints_is_refused_for_others(experiments: Path) -> None:
    """Its limbs would be other joints, and nothing would say so."""
    scale = "extends: paper-jhmdb-1.yaml\nname: mine\nrows: [hrnet, tips, dcpose%s]\n"
    path = experiments / "scales" / "mine.yaml"
    path.write_text(scale % "")
    assert "dcpose" in load_study("mine", experiments, "anywhere").variants
    path.write_text(scale % ", dsta")
    assert refusal(experiments, "mine", "anywhere") == (
        "variant 'dsta': model dsta is for PoseTrack's joints, and scale 'mine' has others; leave "
        "the variant out of the scale's rows"
    )


def test_interim_frames_that_a_scale_does_not_make_are_refused(experiments: Path) -> None:
    (experiments / "ablation/mine.yaml").write_text(
        "extends: ../tips.yaml\ntitle: Frames of another kind\ninterim: average\n"
    )
    assert "mine" in load_study("smoke", experiments).variants
    assert refusal(experiments, "paper", "anywhere") == (
        "variant 'mine' reads interim frames 'average', which scale 'paper' does not make (flow); "
        "add it to the scale's `interim`"
    )


def test_a_plan_asks_which_scales_leave_the_root_open(experiments: Path) -> None:
    names = ("desk", "smoke", "clip", "paper", "paper-jhmdb-1")
    assert [needs_root(name, experiments) for name in names] == [False, False, True, True, True]


def test_ranks_divide_the_cycle_of_every_training(experiments: Path) -> None:
    scale = "extends: paper-posetrack18.yaml\nname: mine\nranks: %d\n"
    path = experiments / "scales" / "mine.yaml"
    for ranks in (1, 2, 4):
        path.write_text(scale % ranks)
        assert load_study("mine", experiments, "anywhere").scale.ranks == ranks
    path.write_text(scale % 3)
    assert re.fullmatch(
        r"scale mine: ranks: 3 does not divide training\.accumulation of '[\w-]+', which is 4; "
        "give 1, or a number that divides it",
        refusal(experiments, "mine", "anywhere"),
    )


@pytest.mark.parametrize("count", [0, 100_001, 10**9])
def test_the_number_of_resamples_has_bounds(experiments: Path, count: int) -> None:
    (experiments / "scales/mine.yaml").write_text(
        f"extends: smoke.yaml\nname: mine\nevaluation: {{resamples: {count}}}\n"
    )
    assert "evaluation.resamples: Input should be" in refusal(experiments, "mine")
