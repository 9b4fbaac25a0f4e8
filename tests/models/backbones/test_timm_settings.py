"""What an experiment or a stranger's run may say to timm: sizes, and nothing else."""

import inspect
from typing import Any

import pytest
import timm
from pydantic import ValidationError
from small import ARCH
from timm.models.hrnet import cfg_cls

from tips import kinds
from tips.models.backbones._timm import create
from tips.models.backbones.timm_settings import HRNetArch, Stage, given

HRNET = {"kind": "hrnet", "name": "hrnet_w18_small"}
VIT = {"kind": "vitpose", "name": "vit_small_patch16_224"}
ADDRESS = {"url": "http://127.0.0.1:9/weights.pth", "hf_hub_id": "a/b"}
READS = {
    "pretrained": True,
    "pretrained_cfg": ADDRESS,
    "pretrained_cfg_overlay": ADDRESS,
    "checkpoint_path": "/etc/hostname",
    "cache_dir": "/tmp",
}


def read(raw: dict[str, Any]) -> Any:
    return kinds.settings(kinds.BACKBONE, raw["kind"]).model_validate(raw)


def test_the_settings_have_the_keys_of_timm_s_own_table() -> None:
    for table in cfg_cls.values():
        assert set(HRNetArch.model_fields) == set(table)
        assert all(set(Stage.model_fields) == set(v) for v in table.values() if type(v) is dict)
        HRNetArch.model_validate(table)


def test_what_is_given_reaches_timm_unchanged() -> None:
    assert given(read(HRNET | {"arch": ARCH}).arch) == ARCH
    assert given(read(VIT | {"arch": {"depth": 2}}).arch) == {"depth": 2}
    assert given(read(VIT).arch) == given(read(HRNET | {"arch": None}).arch) == {}


@pytest.mark.parametrize("raw", [HRNET, VIT])
@pytest.mark.parametrize(
    "arch",
    [
        *({key: value} for key, value in READS.items()),
        *({key: 5} for key in ("stage2", "block_fn", "norm_layer", "embed_layer", "embed_dmi")),
        *({"stage2": {"num_blocks": [1, 1]}}, "depth", [], READS),
    ],
)
def test_everything_else_is_refused(raw: dict[str, Any], arch: object) -> None:
    with pytest.raises(ValidationError):
        read(raw | {"arch": arch})


@pytest.mark.parametrize("size", [0, -1, 10**6, 10**30, 1.5, True, "x", None, float("nan")])
def test_absurd_sizes_are_refused(size: object) -> None:
    stages = [ARCH["stage2"] | {key: size} for key in ("num_modules", "num_branches")]
    stages += [ARCH["stage2"] | {key: [8, size]} for key in ("num_blocks", "num_channels")]
    wrong = [(HRNET, {"stage2": stage}) for stage in stages]
    if size is not None:  # null keeps the published size
        wrong += [(HRNET, {"stem_width": size})]
        wrong += [(VIT, {key: size}) for key in ("embed_dim", "depth", "num_heads")]
    for raw, arch in wrong:
        with pytest.raises(ValidationError):
            read(raw | {"arch": arch})


@pytest.mark.parametrize("name", ["hf-hub:a/b", "local-dir:/tmp", "../vit", "a b", "", "vit.x"])
def test_a_name_is_no_address(name: str) -> None:
    for raw in (HRNET, VIT):
        with pytest.raises(ValidationError, match="should match pattern"):
            read(raw | {"name": name})


@pytest.mark.parametrize("key", READS)
def test_no_caller_makes_timm_read_anything(key: str) -> None:
    """Also not one that comes by other ways than the settings."""
    assert key in inspect.signature(timm.create_model).parameters
    with pytest.raises(ValueError, match=f"multiple values for keyword argument '{key}'"):
        create("vit_small_patch16_224", {key: READS[key]})
