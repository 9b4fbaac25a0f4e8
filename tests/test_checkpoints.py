"""Published checkpoints: every key accounted for, misfits refused by name."""

import copy
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import manifests
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from manifests import needs_manifests
from small import ARCH, official, small_hrnet
from torch import nn

from tips import skeleton
from tips.build import load_pretrained
from tips.checkpoints import (
    COCO,
    FROM_COCO,
    load_published,
    load_weights,
    own_names,
    published_state,
    read_checkpoint,
)
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.single_frame.network import SingleFrame
from tips.records import RecordError


@needs_manifests
@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("hrnet_w48", "hrnet_pose_w48_384x288"),
        ("hrnet_w32", "hrnet_pose_w32_256x192"),
    ],
)
@pytest.mark.parametrize("joints", [15, 17])
def test_manifests_of_hrnet_fit(name: str, manifest: str, joints: int) -> None:
    with torch.device("meta"):
        backbone = TimmHRNet(name, None, False, joints)
    wanted = {key: one.shape for key, one in backbone.published().items()}
    assert wanted == manifests.shapes(manifest)
    assert {one.key for one in backbone.published().values()} == set(backbone.state_dict())
    if joints == len(COCO):
        assert sum(p.numel() for p in backbone.parameters()) == manifests.parameters(manifest)


def test_every_tensor_arrives(tmp_path: Path) -> None:
    backbone = small_hrnet()
    state = official(backbone)
    load_pretrained(SingleFrame(backbone), manifests.write(tmp_path / "w.pth", state))
    loaded = backbone.state_dict()
    for name, value in state.items():
        if not name.startswith("final_layer."):
            assert torch.equal(loaded[f"net.{name}"], value), name
    assert len(loaded) == len(state)


def test_features_of_the_pruned_network_are_the_unpruned_ones_bit_for_bit(tmp_path: Path) -> None:
    backbone = small_hrnet().eval()
    state = official(backbone)
    path = manifests.write(tmp_path / "w.pth", state)
    load_published(backbone, backbone.published(), (), path)
    whole = timm.create_model(
        "hrnet_w18_small", features_only=True, feature_location="", out_indices=(1,), **ARCH
    ).eval()
    misfit = whole.load_state_dict(state, strict=False)
    assert set(misfit.unexpected_keys) == {"final_layer.weight", "final_layer.bias"}
    assert {key.rsplit("fuse_layers.")[1][0] for key in misfit.missing_keys} == {"1", "2", "3"}
    assert all(key.startswith("stage4.0.fuse_layers.") for key in misfit.missing_keys)
    whole.to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 96, 64).contiguous(memory_format=torch.channels_last)
    assert torch.equal(backbone(images), whole(images)[0])


def test_coco_head_becomes_posetracks(tmp_path: Path) -> None:
    backbone = small_hrnet()
    state = official(backbone)
    path = manifests.write(tmp_path / "w.pth", state)
    load_published(backbone, backbone.published(), backbone.unused, path)
    for joint, source in enumerate(FROM_COCO):
        assert torch.equal(backbone.final_layer.weight[joint], state["final_layer.weight"][source])
        name = skeleton.JOINTS[joint]
        expected = {"head_bottom": "left_eye", "head_top": "right_eye"}.get(name, name)
        assert COCO[source] == expected
    assert len(set(FROM_COCO)) == skeleton.COUNT


def test_prefixes_and_wrappers_of_published_files(tmp_path: Path) -> None:
    backbone = small_hrnet()
    state = official(backbone)
    wrapped = {"state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(wrapped, tmp_path / "w.pth")
    load_published(backbone, backbone.published(), (), tmp_path / "w.pth")
    assert torch.equal(backbone.state_dict()["net.conv1.weight"], state["conv1.weight"])


def test_old_files_have_no_batch_counters(tmp_path: Path) -> None:
    backbone = small_hrnet()
    state = official(backbone)
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    assert len(old) < len(state)
    path = manifests.write(tmp_path / "w.pth", old)
    load_published(backbone, backbone.published(), (), path)
    assert torch.equal(backbone.state_dict()["net.bn1.running_mean"], old["bn1.running_mean"])
    some = old | {"bn1.num_batches_tracked": torch.tensor(7)}
    path = manifests.write(tmp_path / "w.pth", some)
    with pytest.raises(RecordError, match=r"key 'bn2\.num_batches_tracked' is missing"):
        load_published(backbone, backbone.published(), (), path)


MISFITS = {
    "renamed": ("layer1.0.conv1.weight", "key 'layer1.0.conv1.weight' is missing"),
    "missing": ("bn2.running_var", "key 'bn2.running_var' is missing"),
    "extra": ("head.weight", "key 'head.weight' is not part of this model"),
    "shape": (
        "conv2.weight",
        "'conv2.weight' has shape (1, 8, 3, 3), the model wants (64, ",
    ),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_misfits_are_refused_by_name(misfit: str, tmp_path: Path) -> None:
    key, says = MISFITS[misfit]
    backbone = small_hrnet()
    state = official(backbone)
    if misfit == "renamed":
        state["renamed.weight"] = state.pop(key)
    elif misfit == "missing":
        del state[key]
    elif misfit == "extra":
        state[key] = torch.zeros(3)
    else:
        state[key] = state[key][:1]
    path = manifests.write(tmp_path / "w.pth", state)
    before = backbone.net.conv1.weight.clone()
    with pytest.raises(RecordError) as refused:
        load_published(backbone, backbone.published(), (), path)
    assert str(refused.value).startswith(f"{path}: {says}")
    assert torch.equal(backbone.net.conv1.weight, before)


def test_what_is_not_wanted_must_still_be_whole(tmp_path: Path) -> None:
    backbone = small_hrnet()
    state = official(backbone)
    unused = ({"a.one": (2,), "a.two": (2,)}, {"a.one": (2,), "b.one": (3,), "b.two": (3,)})
    small = {"a.one": torch.zeros(2), "a.two": torch.zeros(2)}
    large = {"a.one": torch.zeros(2), "b.one": torch.zeros(3), "b.two": torch.zeros(3)}
    for held in ({}, small, large):
        path = manifests.write(tmp_path / "w.pth", state | held)
        load_published(backbone, backbone.published(), unused, path)
    for held, says in (
        (small | {"tail": torch.zeros(1)}, "key 'tail' is not part of this model"),
        ({"a.one": torch.zeros(2)}, "key 'a.two' is missing"),
        ({"b.one": torch.zeros(3), "b.two": torch.zeros(3)}, "key 'a.one' is missing"),
        (large | {"b.two": torch.zeros(2)}, r"'b\.two' has shape \(2,\), the model wants \(3,\)"),
    ):
        path = manifests.write(tmp_path / "w.pth", state | held)
        with pytest.raises(RecordError, match=says):
            load_published(backbone, backbone.published(), unused, path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file; fetch it, or mend the path in the configuration"),
        (b"not a checkpoint", "not a complete checkpoint; fetch it again"),
        ({"epoch": 3}, "holds no state dict of tensors; fetch it again"),
    ],
)
def test_files_that_are_no_checkpoint(content: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(RecordError) as refused:
        load_published(small_hrnet(), {}, (), path)
    assert str(refused.value) == f"{path}: {says}"


def linear() -> nn.Module:
    """Weights, statistics, a counter, and whole numbers that follow from the sizes."""
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    module.register_buffer("index", torch.arange(4))
    return module


WEIGHT = "0.weight"
ONE_FOR_ALL = "one number for all"
NO_WEIGHTS = {
    "text": {WEIGHT: "zeros"},
    "number": {WEIGHT: 3.0},
    "list": {WEIGHT: [torch.zeros(2, 3)]},
    "null": {WEIGHT: None},
    "sparse": {WEIGHT: torch.zeros(2, 3).to_sparse()},
    "meta": {WEIGHT: torch.zeros(2, 3, device="meta")},
    ONE_FOR_ALL: {WEIGHT: torch.zeros(1, 1).expand(2, 3)},
    "whole numbers": {WEIGHT: torch.zeros(2, 3, dtype=torch.int64)},
    "truth values": {WEIGHT: torch.zeros(2, 3, dtype=torch.bool)},
    "complex": {WEIGHT: torch.zeros(2, 3, dtype=torch.complex64)},
    "eight bits": {WEIGHT: torch.zeros(2, 3).to(torch.float8_e4m3fn)},
    "nan": {WEIGHT: torch.full((2, 3), torch.nan)},
    "infinite": {"1.running_var": torch.tensor([1.0, torch.inf])},
    "overflowing": {WEIGHT: torch.full((2, 3), 1e300, dtype=torch.float64)},
    "no count": {"1.num_batches_tracked": torch.tensor(torch.nan)},
    "another index": {"index": torch.tensor([0, 1, 2, 999])},
    "no name": {3: torch.zeros(1)},
}


@pytest.mark.parametrize("case", NO_WEIGHTS)
@pytest.mark.parametrize("published", [True, False])
def test_what_cannot_be_weights_is_one_line_that_names_the_file(
    tmp_path: Path, case: str, published: bool
) -> None:
    module, path = linear(), tmp_path / "w.pt"
    before = copy.deepcopy(module.state_dict())
    torch.save({"model": module.state_dict() | NO_WEIGHTS[case]}, path)

    def load() -> None:
        if published:
            load_published(module, own_names(module), (), path)
        else:
            load_weights(module, read_checkpoint(path)["model"], path)

    if published and case == ONE_FOR_ALL:  # shapes are judged first, so it costs no memory
        load()
        return
    with pytest.raises(RecordError) as refused:
        load()
    assert str(refused.value).startswith(f"{path}: ")
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_of_another_precision_are_weights(tmp_path: Path, kind: torch.dtype) -> None:
    module, path = linear(), tmp_path / "w.pt"
    torch.save(
        {
            "model": {
                k: v.to(kind) if v.is_floating_point() else v
                for k, v in linear().state_dict().items()
            }
        },
        path,
    )
    state = read_checkpoint(path)["model"]
    load_weights(module, state, path)
    assert torch.equal(module.state_dict()[WEIGHT], state[WEIGHT].float())


ROOTS = st.none() | st.integers() | st.text() | st.binary() | st.lists(st.integers())


@given(st.one_of(ROOTS, st.dictionaries(st.sampled_from(["model", "state_dict", "x"]), ROOTS)))
def test_what_is_no_checkpoint_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.mktemp("w") / "w.pt"
    torch.save(value, path)
    for read in (read_checkpoint, published_state):
        if read is published_state and value == {}:
            continue  # a state dict without tensors
        with pytest.raises(RecordError, match=r"w\.pt: (holds no|not a complete) "):
            read(path)


@given(st.data())
def test_rubbish_is_one_line(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes of all kinds, and both of torch's formats with bytes that are changed or cut off."""
    path = tmp_path_factory.mktemp("w") / "w.pt"
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(st.binary(max_size=300)))
    else:
        modern = data.draw(st.booleans())
        state = {"model": linear().state_dict()}
        torch.save(state, path, _use_new_zipfile_serialization=modern)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(RecordError):  # no other error
        assert isinstance(read_checkpoint(path)["model"], dict)


def test_what_unpacks_to_more_than_it_is_is_not_unpacked(tmp_path: Path) -> None:
    torch.save({"model": {"w": torch.zeros(100_000)}}, tmp_path / "w.pt")
    with (
        zipfile.ZipFile(tmp_path / "w.pt") as whole,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for member in whole.infolist():
            bomb.writestr(member.filename, whole.read(member))
    assert read_checkpoint(tmp_path / "w.pt")
    with pytest.raises(RecordError, match=r"bomb\.pt: not a complete checkpoint"):
        read_checkpoint(tmp_path / "bomb.pt")


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_checkpoint(tmp_path)
    with pytest.raises(IsADirectoryError):
        published_state(tmp_path)
