"""Which keys an experiment may hold: its kind's own, inherited ones of others left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from tips import kinds
from tips.config import ConfigError, load_experiment, load_scale, load_study, overlay, rivals
from tips.config.fitting import Layer, fitted, keys
from tips.config.layers import read_yaml
from tips.config.parts import family_of, part_class

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TIPS = read_yaml(EXPERIMENTS / "tips.yaml")
MODELS = sorted(kinds.homes(kinds.MODEL))
MINE = "ablation/mine.yaml"


def child(experiments: Path, body: str) -> Path:
    path = experiments / MINE
    path.write_text(f"extends: ../tips.yaml\ntitle: mine\n{body}\n", encoding="utf-8")
    return path


def refusal(experiments: Path, body: str) -> str:
    """What an experiment is refused with, behind the name of its file."""
    path = child(experiments, body)
    with pytest.raises(ConfigError) as refused:
        load_experiment(path)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def places(
    part: type[BaseModel], owner: str, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every place at which settings have a key, with whose it is."""
    for key in keys(part):
        here = (*above, key)
        yield here, owner
        family, inner = family_of(part, key), part_class(part, key)
        if family is not None:
            for kind in kinds.homes(family):
                name = f"{family.name} {kind}"
                yield from places(kinds.settings(family, kind), name, here)
        elif inner is not None:
            yield from places(inner, owner, here)


OWNERS: dict[tuple[str, ...], set[str]] = {}
for _model in MODELS:
    for _place, _owner in places(kinds.settings(kinds.MODEL, _model), f"model {_model}"):
        OWNERS.setdefault(_place, set()).add(_owner)


def test_inherited_keys_of_other_kinds_are_left_out(experiments: Path) -> None:
    found = load_experiment(experiments / "baselines/dcpose.yaml")
    left_out = TIPS.keys() - type(found).model_fields.keys()
    assert left_out == {"interim", "synthesis", "fusion", "distillation"}
    assert found.model_dump()["head"] == {"start": "scratch"}  # its encoder is another kind's
    assert found.losses.model_dump() == {"heatmap": 1.0}


def test_inherited_keys_of_another_encoder_or_backbone_are_left_out(experiments: Path) -> None:
    body = "head: {encoder: {kind: conv}}\nbackbone: {kind: vitpose, name: vit_base_patch16_224}"
    found = load_experiment(child(experiments, body)).model_dump()
    assert found["head"]["encoder"] == {"kind": "conv", "layers": 1}
    assert found["synthesis"]["encoder"]["heads"] == 8  # each part has its own encoder
    assert found["backbone"]["kind"] == "vitpose"


def test_a_scale_s_keys_of_other_kinds_are_left_out(experiments: Path) -> None:
    smoke = load_scale("smoke", experiments)
    assert "synthesis" in smoke.experiment
    found = load_experiment(experiments / "baselines/posewarper.yaml", smoke)
    assert not {"synthesis", "head", "fusion"} & found.model_dump().keys()
    assert found.training.batch == smoke.experiment["training"]["batch"]


DCPOSE = "model: dcpose\nwindow: [-1, 0, 1]\n"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            f"{DCPOSE}synthesis: null",
            "synthesis: a key of model tips; model dcpose has no such key, so remove it",
        ),
        (
            f"{DCPOSE}losses: {{variety: 0.0}}",
            "losses.variety: a key of model tips; model dcpose has no such key, so remove it",
        ),
        (
            f"{DCPOSE}losses: {{complement: 1.0}}",
            "losses.complement: a key of model fami_pose and model tips; model dcpose has no such "
            "key, so remove it",
        ),
        (
            f"{DCPOSE}head: {{encoder: {{layers: 2}}}}",
            "head.encoder: a key of model tips; model dcpose has no such key, so remove it",
        ),
        (
            "head: {encoder: {kind: conv, heads: 4}}",
            "head.encoder.heads: a key of encoder transformer; encoder conv has no such key, so "
            "remove it",
        ),
        ("drop: 0.1", "drop: a key of model dsta; model tips has no such key, so remove it"),
    ],
)
def test_own_keys_of_other_kinds_are_refused_with_their_owner(
    experiments: Path, body: str, says: str
) -> None:
    assert refusal(experiments, body) == says


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("fussion: {blocks: 1}", "fussion: unknown key; did you mean 'fusion'?"),
        ("losses: {headmap: 1.0}", "losses.headmap: unknown key; did you mean 'heatmap'?"),
        ("losses: {varety: 1.0}", "losses.varety: unknown key; did you mean 'variety'?"),
        (
            "distillation: {encoder: {feedforwards: 8}}",
            "distillation.encoder.feedforwards: unknown key; did you mean 'feedforward'?",
        ),
        (
            "distillation: {groups: {cuont: 5}}",
            "distillation.groups.cuont: unknown key; did you mean 'count'?",
        ),
        ("backbone: {weight: x.pth}", "backbone.weight: unknown key; did you mean 'weights'?"),
        (
            f"{DCPOSE}losses: {{headmap: 1.0}}",
            "losses.headmap: unknown key; did you mean 'heatmap'?",
        ),
        ("model: tisp", "model: unknown model 'tisp'; did you mean 'tips'?"),
        ("model: dc-pose", "model: unknown model 'dc-pose'; did you mean 'dcpose'?"),
        (
            "backbone: {kind: hrnett}",
            "backbone.kind: unknown backbone 'hrnett'; did you mean 'hrnet'?",
        ),
        (
            "head: {encoder: {kind: transfrmer}}",
            "head.encoder.kind: unknown encoder 'transfrmer'; did you mean 'transformer'?",
        ),
        (
            "head: {encoder: {kind: lstm}}",
            "head.encoder.kind: unknown encoder 'lstm'; known: conv, transformer",
        ),
    ],
)
def test_unknown_keys_and_kinds_name_the_nearest_at_every_depth(
    experiments: Path, body: str, says: str
) -> None:
    assert refusal(experiments, body) == says


def test_a_typo_in_a_file_that_others_extend_is_refused_though_inherited(
    experiments: Path,
) -> None:
    path = experiments / "tips.yaml"
    path.write_text(path.read_text().replace("fusion: {blocks", "fusoin: {blocks"))
    with pytest.raises(ConfigError) as refused:
        load_experiment(experiments / "baselines/dcpose.yaml")
    assert str(refused.value) == (
        f"{experiments}/baselines/../tips.yaml: fusoin: unknown key; known: augmentation, "
        "backbone, blocks, crop, head, losses, model, title, training, width, window"
    )


def change_scale(experiments: Path, **change: Any) -> None:
    path = experiments / "scales/smoke.yaml"
    path.write_text(yaml.safe_dump(overlay(read_yaml(path), change)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"models": {"single_fram": {"training": {"epochs": 1}}}},
            "smoke.yaml: models: unknown model 'single_fram'; did you mean 'single_frame'?",
        ),
        (
            {"models": {"single_frame": {"training": {"epoch": 1}}}},
            "scale 'smoke': models.single_frame.training.epoch: unknown key; did you mean "
            "'epochs'?",
        ),
        (
            {"models": {"dcpose": {"synthesis": None}}},
            "scale 'smoke': models.dcpose.synthesis: a key of model tips; model dcpose has no "
            "such key, so remove it",
        ),
        (
            {"variants": {"dcpose": {"interim": "flow"}}},
            "scale 'smoke': variants.dcpose.interim: a key of model tips; model dcpose has no "
            "such key, so remove it",
        ),
        (
            {"experiment": {"head": {"encoder": {"layer": 1}}}},
            "scale 'smoke': experiment.head.encoder.layer: unknown key; did you mean 'layers'?",
        ),
        (
            {"experiment": {"trainign": {"epochs": 1}}},
            "scale 'smoke': experiment.trainign: unknown key; did you mean 'training'?",
        ),
    ],
)
def test_mistakes_of_a_scale_s_overlays(
    experiments: Path, change: dict[str, Any], says: str
) -> None:
    change_scale(experiments, **change)
    with pytest.raises(ConfigError) as refused:
        load_study("smoke", experiments)
    assert str(refused.value).endswith(says)
    assert "\n" not in str(refused.value)


def test_what_a_scale_lays_over_a_kind_of_model_lies_between_its_file_and_its_variant(
    experiments: Path,
) -> None:
    own = experiments / "baselines/hrnet-ms.yaml"
    own.write_text(yaml.safe_dump(read_yaml(own) | {"training": {"epochs": 7, "accumulation": 6}}))
    change_scale(experiments, variants={"hrnet": None, "hrnet-ms": None})
    change_scale(
        experiments,
        experiment={"training": {"epochs": 5, "accumulation": 5}},
        models={"single_frame": {"training": {"epochs": 9, "learning_rate": 0.5}}},
        variants={"hrnet": {"training": {"epochs": 11}}, "hrnet-ms": {}},
    )
    found = load_study("smoke", experiments).variants
    settings = {name: found[name].experiment.training for name in ("hrnet", "hrnet-ms", "tips")}
    assert [one.epochs for one in settings.values()] == [11, 9, 5]
    assert (settings["hrnet-ms"].accumulation, settings["hrnet"].accumulation) == (6, 5)
    assert settings["hrnet"].learning_rate == settings["hrnet-ms"].learning_rate == 0.5
    assert settings["tips"].learning_rate != 0.5


def test_every_rival_is_a_kind_with_a_row_of_its_name() -> None:
    names = {path.stem for path in (EXPERIMENTS / "baselines").glob("*.yaml")}
    assert set(rivals()) <= names
    assert {name.replace("-", "_") for name in rivals()} < set(MODELS)


def nested(place: tuple[str, ...], value: object, kind: dict[str, str]) -> dict[str, Any]:
    """A mapping that says one thing, and the kind of the part that it is about."""
    inner: Any = value
    for depth in range(len(place) - 1, 0, -1):
        inner = {place[depth]: inner}
        if place[depth - 1] in kind:
            inner["kind"] = kind[place[depth - 1]]
    return {place[0]: inner}


def judged(model: str, own: dict[str, Any]) -> dict[str, Any] | str:
    """What is left of an own layer over tips.yaml, or the message that refuses it."""
    layer = Layer("mine: ", {"model": model} | own, own=True)
    merged = overlay(TIPS, layer.values)
    try:
        return fitted(layer, kinds.settings(kinds.MODEL, model), merged)
    except ConfigError as error:
        return str(error)


CHOSEN = st.fixed_dictionaries(
    {
        "backbone": st.sampled_from(sorted(kinds.homes(kinds.BACKBONE))),
        "encoder": st.sampled_from(sorted(kinds.homes(kinds.ENCODER))),
    }
)
PLACES = sorted(place for place in OWNERS if place[-1] not in ("model", "kind"))


@given(st.sampled_from(MODELS), st.sampled_from(PLACES), CHOSEN)
def test_a_known_key_is_kept_or_its_owners_are_named(
    model: str, place: tuple[str, ...], kind: dict[str, str]
) -> None:
    own = nested(place, 1, kind)
    found = judged(model, own)
    if not isinstance(found, str):
        assert found == {"model": model} | own
        holders = {f"model {model}", *(f"{key} {name}" for key, name in kind.items())}
        assert holders & OWNERS[place]
        return
    assert "\n" not in found
    where, _, rest = found.removeprefix("mine: ").partition(": ")
    refused = tuple(where.split("."))
    assert place[: len(refused)] == refused
    owners, _, rule = rest.partition("; ")
    assert owners == f"a key of {' and '.join(sorted(OWNERS[refused]))}"
    holder = rule.removesuffix(" has no such key, so remove it")
    assert holder not in OWNERS[refused]
    assert holder in {f"model {model}", *(f"{key} {name}" for key, name in kind.items())}


@given(st.sampled_from(MODELS), st.sampled_from(PLACES), CHOSEN, st.integers(0, 3), st.data())
def test_a_misspelt_key_names_a_known_one(
    model: str, place: tuple[str, ...], kind: dict[str, str], way: int, data: st.DataObject
) -> None:
    key = place[-1]
    at = data.draw(st.integers(0, len(key) - 1))
    wrong = (
        key[:at] + key[at + 1 :],
        key[:at] + key[at] + key[at:],
        key[:at] + "q" + key[at + 1 :],
        f"not-{key}",
    )[way]
    spoilt = (*place[:-1], wrong)
    assume(wrong and spoilt not in OWNERS)
    assume(not isinstance(judged(model, nested(place, 1, kind)), str))
    found = judged(model, nested(spoilt, 1, kind))
    assert isinstance(found, str)
    assert "\n" not in found
    said, _, hint = found.partition("unknown key; ")
    assert said == f"mine: {'.'.join(spoilt)}: "
    known = {name[-1] for name in OWNERS if name[:-1] == place[:-1]}
    if hint.startswith("did you mean '"):
        assert hint.removeprefix("did you mean '").removesuffix("'?") in known
    else:
        assert set(hint.removeprefix("known: ").split(", ")) <= known
        assert key in hint.removeprefix("known: ").split(", ")
