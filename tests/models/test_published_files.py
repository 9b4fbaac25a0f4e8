"""Whole published files, synthesised from their manifests: they load, and misfits are named."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import manifests
import pytest
import torch
from manifests import needs_manifests
from torch import nn

from tips.checkpoints import COUNTER, Published, Shapes, load_published, own_names
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.backbones.vitpose.network import ViTPose
from tips.records import RecordError

Receiver = tuple[nn.Module, Mapping[str, Published], Sequence[Shapes]]


def hrnet(name: str) -> Receiver:
    backbone = TimmHRNet(name, None, autocast=False)
    return backbone, backbone.published(), backbone.unused


def vitpose(name: str) -> Receiver:
    backbone = ViTPose(name, None, (384, 288), autocast=False)
    return backbone, backbone.published(), backbone.unused


def vfit(size: str) -> Receiver:
    network = VFIT(SIZES[size])
    return network, own_names(network), ()


FILES: dict[str, Callable[[], Receiver]] = {
    "hrnet_pose_w48_384x288": lambda: hrnet("hrnet_w48"),
    "hrnet_pose_w32_256x192": lambda: hrnet("hrnet_w32"),
    "vfit_b": lambda: vfit("base"),
    "vfit_s": lambda: vfit("small"),
    "vitpose_base_simple_256x192": lambda: vitpose("vit_base_patch16_224"),
    "vitpose_base_classic_256x192": lambda: vitpose("vit_base_patch16_224"),
    "vitpose_huge_simple_256x192": lambda: vitpose("vit_huge_patch14_224"),
    "vitpose_huge_classic_256x192": lambda: vitpose("vit_huge_patch14_224"),
}


@needs_manifests
# Two huge networks would take five gigabytes: their tensors are not moved, names and shapes are.
@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize("manifest", FILES)
def test_a_published_file_loads_and_its_misfits_are_named(manifest: str, tmp_path: Path) -> None:
    huge = "huge" in manifest
    with torch.device("meta" if huge else "cpu"):
        network, expected, unused = FILES[manifest]()
    own = network.state_dict()
    # One value each, however large the tensor; only indices are what the network computes itself.
    state = {
        name: own[expected[name.removeprefix("module.")].key]
        if name.endswith("index")
        else torch.tensor(float(number)).expand(shape)
        for number, (name, shape) in enumerate(manifests.shapes(manifest).items())
    }
    path = manifests.write(tmp_path / "published.pth", state)
    load_published(network, expected, unused, path)
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    assert expected.keys() <= plain.keys()
    for name, one in expected.items():
        wanted = one.adapt(plain[name])
        assert own[one.key].shape == wanted.shape, name
        assert huge or torch.equal(own[one.key].float(), wanted), name

    names = list(state)
    counters = [name for name in names if name.endswith(COUNTER)]
    for key in (names[0], names[len(names) // 2], names[-1], *counters[:1]):
        short = key.removeprefix("module.")
        without = {name: value for name, value in state.items() if name != key}
        missing = f"key '{short}' is missing"
        wrong = (1, *state[key].shape)
        for spoiled, says in (
            (without, missing),
            (without | {"renamed": state[key]}, f"{missing} and key 'renamed' is not part of"),
            (state | {"added": state[key]}, "key 'added' is not part of this model"),
            (state | {key: state[key][None]}, f"'{short}' has shape {wrong}, the"),
        ):
            path = manifests.write(tmp_path / "spoiled.pth", spoiled)
            with pytest.raises(RecordError, match=re.escape(f"{path}: {says}")):
                load_published(network, expected, unused, path)
