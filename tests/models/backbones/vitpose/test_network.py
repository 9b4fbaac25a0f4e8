import re
from pathlib import Path

import manifests
import pytest
import torch
from manifests import needs_manifests
from small import official
from torch import Tensor, nn

from tips.checkpoints import fitting, load_published
from tips.models.backbones.vitpose.network import ViTPose
from tips.records import RecordError

ARCH = {"embed_dim": 32, "depth": 2, "num_heads": 2}
NAME = "vit_small_patch16_224"


def tiny(size: tuple[int, int] = (256, 192)) -> ViTPose:
    torch.manual_seed(0)
    return ViTPose(NAME, ARCH, size, autocast=False).eval()


def loaded(backbone: ViTPose, path: Path) -> dict[str, Tensor]:
    simple, _ = backbone.unused
    state = official(backbone) | {name: torch.zeros(shape) for name, shape in simple.items()}
    load_published(backbone, backbone.published(), backbone.unused, manifests.write(path, state))
    return state


@needs_manifests
@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("vit_huge_patch14_224", "vitpose_huge_classic_256x192"),
        ("vit_huge_patch14_224", "vitpose_huge_simple_256x192"),
        ("vit_base_patch16_224", "vitpose_base_classic_256x192"),
        ("vit_base_patch16_224", "vitpose_base_simple_256x192"),
    ],
)
@pytest.mark.parametrize("size", [(256, 192), (384, 288)])
def test_manifests_fit(name: str, manifest: str, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        backbone = ViTPose(name, None, size, False)
        file = {key: torch.empty(shape) for key, shape in manifests.shapes(manifest).items()}
    expected = backbone.published()
    wanted = {key: one.shape for key, one in expected.items()}
    decoder = backbone.unused["classic" in manifest]
    fitting(file, wanted | decoder, manifests.MANIFESTS, optional="")
    state = backbone.state_dict()
    for key, one in expected.items():
        assert one.adapt(file[key]).shape == state[one.key].shape, key
    assert {one.key for one in expected.values()} == {k for k in state if k.startswith("net.")}


@needs_manifests
def test_names_are_those_of_the_mapping() -> None:
    with torch.device("meta"):
        backbone = ViTPose("vit_huge_patch14_224", None, (256, 192), False)
    mapped = manifests.listed("vitpose_huge_to_timm", "map")
    found = {key: one.key.removeprefix("net.") for key, one in backbone.published().items()}
    assert found == {key: value.split(" ")[0] for key, value in mapped.items()}


def test_tokens_are_those_of_the_published_network(tmp_path: Path) -> None:
    """Patches with a border of two zeros, each plus its own and the class token's position."""
    backbone = tiny()
    state = loaded(backbone, tmp_path / "w.pth")
    images = torch.randn(1, 3, 256, 192)
    seen = []
    backbone.net.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    backbone(images)
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    patch = padded[0, :, 16 * 3 : 16 * 4, 16 * 5 : 16 * 6]
    weight, bias = (state[f"backbone.patch_embed.proj.{part}"] for part in ("weight", "bias"))
    place = 3 * 12 + 5
    position = state["backbone.pos_embed"][0, 1 + place] + state["backbone.pos_embed"][0, 0]
    expected = (weight * patch).sum((1, 2, 3)) + bias + position
    assert torch.allclose(seen[0][0, place], expected, atol=1e-3)


def test_positions_of_another_size_are_resized(tmp_path: Path) -> None:
    backbone = tiny((384, 288))
    state = loaded(backbone, tmp_path / "w.pth")
    grid = backbone.net.pos_embed.view(24, 18, -1)
    merged = (state["backbone.pos_embed"][:, 1:] + state["backbone.pos_embed"][:, :1]).view(
        16, 12, -1
    )
    assert torch.allclose(grid.mean((0, 1)), merged.mean((0, 1)), atol=0.05)
    assert torch.allclose(grid[0, 0], merged[0, 0], atol=0.5)
    assert backbone(torch.randn(1, 3, 384, 288)).shape == (1, 48, 96, 72)


def test_last_norm_and_neck(tmp_path: Path) -> None:
    backbone = tiny()
    state = loaded(backbone, tmp_path / "w.pth")
    assert torch.equal(backbone.net.norm.weight, state["backbone.last_norm.weight"])
    images = torch.randn(2, 3, 256, 192)
    maps = backbone.net.forward_features(images).transpose(1, 2).reshape(2, 32, 16, 12)
    assert torch.allclose(backbone(images), backbone.neck(maps), atol=1e-5)
    assert backbone(images).shape == (2, 48, 64, 48)


def test_another_grid_is_refused_by_name(tmp_path: Path) -> None:
    backbone = tiny()
    state = official(backbone)
    state["backbone.pos_embed"] = torch.zeros(1, 197, 32)
    path = manifests.write(tmp_path / "w.pth", state)
    with pytest.raises(RecordError, match=r"'backbone\.pos_embed' has shape \(1, 197, 32\)"):
        load_published(backbone, backbone.published(), backbone.unused, path)
    state["backbone.decoder.weight"] = torch.zeros(1)
    del state["backbone.pos_embed"]
    path = manifests.write(tmp_path / "w.pth", state)
    with pytest.raises(RecordError, match=r"'backbone\.pos_embed' is missing"):
        load_published(backbone, backbone.published(), backbone.unused, path)


def test_a_file_without_any_decoder_fits(tmp_path: Path) -> None:
    backbone = tiny()
    path = manifests.write(tmp_path / "w.pth", official(backbone))
    load_published(backbone, backbone.published(), backbone.unused, path)


@pytest.mark.parametrize(
    ("name", "arch", "says"),
    [
        ("resnet50", None, "backbone.name: timm cannot build 'resnet50': TypeError: "),
        (NAME, {"embed_dmi": 32}, "with backbone.arch {'embed_dmi': 32}: TypeError: "),
        (NAME, {"embed_dim": 32, "num_heads": 5}, "'num_heads': 5}: "),
        ("vit_smal", None, "backbone.name: timm has no network 'vit_smal'"),
    ],
)
def test_what_is_no_transformer_is_one_line(
    name: str, arch: dict[str, int] | None, says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ViTPose(name, arch, (256, 192), autocast=False)


def test_neck_of_the_paper_size() -> None:
    with torch.device("meta"):
        backbone = ViTPose("vit_huge_patch14_224", None, (256, 192), False)
    assert sum(p.numel() for p in backbone.neck.parameters()) == 553_056
    transformer = sum(p.numel() for p in backbone.net.parameters())
    assert transformer - backbone.net.pos_embed.numel() == 630_664_960
