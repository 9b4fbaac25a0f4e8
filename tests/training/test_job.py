"""What a training starts from."""

from pathlib import Path

import pytest
import tiny_study
import torch
import yaml

from tips import freshness, kinds
from tips.build import build_model
from tips.config import ConfigError
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.backbones.timm_settings import given
from tips.opened import Opened, open_study
from tips.records import RecordError
from tips.training.job import build_job

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny study, packed, as the working folder."""
    return tiny_study.pack_in(tmp_path, monkeypatch)


def study(folder: Path, weights: str) -> Opened:
    """The study with a checkpoint for stage one."""
    file = folder / "experiments/scales/tiny.yaml"
    scale = yaml.safe_load(file.read_text())
    scale["variants"]["hrnet"] = {"backbone": {"weights": weights}}
    file.write_text(yaml.safe_dump(scale))
    return open_study("tiny", "people")


def test_stage_one_starts_from_published_weights(folder: Path) -> None:
    opened = study(folder, "pose_hrnet.pth")
    variant = opened.study.variant("hrnet")
    arch = given(variant.experiment.backbone.arch)
    published = TimmHRNet(variant.experiment.backbone.name, arch, autocast=False, joints=17)
    names = {key.removeprefix("net."): value for key, value in published.state_dict().items()}
    torch.save(names, folder / "pose_hrnet.pth")
    job = build_job(opened, variant, 0, CPU)
    started = job.model.backbone.state_dict()
    for key, value in published.net.state_dict().items():
        assert torch.equal(started[f"net.{key}"], value), key
    files = freshness.training_files(*opened, "hrnet", 0)
    with_file = freshness.digests(files)
    torch.save(names | {"conv1.weight": names["conv1.weight"] + 1}, folder / "pose_hrnet.pth")
    assert freshness.digests(files)["weights"] != with_file["weights"]


def test_stage_one_starts_from_another_stage_one(folder: Path) -> None:
    opened = study(folder, "runs/checkpoint.pt")
    variant = opened.study.variant("hrnet")
    model = build_model(variant.experiment)
    (folder / "runs").mkdir()
    state = model.state_dict()
    torch.save({"model": state}, folder / "runs/checkpoint.pt")
    narrow = variant.experiment.backbone.model_dump()
    backbone = kinds.settings(kinds.BACKBONE, "hrnet_ms")(**narrow | {"kind": "hrnet_ms"})
    wide = variant.experiment.model_copy(update={"backbone": backbone})
    job = build_job(opened, variant._replace(experiment=wide), 0, CPU)
    started = job.model.state_dict()
    assert len(started) > len(state)  # the neck, and what feeds it
    assert all(torch.equal(started[key], value) for key, value in state.items())
    job.model.backbone.autocast = model.backbone.autocast
    images = torch.randn(2, 1, 3, 64, 64)
    with torch.inference_mode():  # the neck passes the fine branch on
        same = [one.eval()(images, images[:, :0]).maps for one in (model, job.model)]
    assert torch.allclose(*same, atol=1e-5)
    del state["backbone.net.conv1.weight"]
    torch.save({"model": state}, folder / "runs/checkpoint.pt")
    with pytest.raises(RecordError, match=r"checkpoint\.pt: key 'net\.conv1\.weight' is missing"):
        build_job(opened, variant, 0, CPU)


def test_missing_weights_are_one_line(folder: Path) -> None:
    opened = study(folder, "gone.pth")
    with pytest.raises(RecordError, match=r"^gone\.pth: no such file; fetch it, or mend"):
        freshness.digests(freshness.training_files(*opened, "hrnet", 0))


def test_a_backbone_that_no_stage_one_trains_is_refused(folder: Path) -> None:
    opened = open_study("tiny", "people")
    other = opened.study.variant("tips").experiment
    backbone = other.backbone.model_copy(update={"name": "hrnet_w32"})
    changed = other.model_copy(update={"backbone": backbone})
    opened.study.variants["tips"] = opened.study.variant("tips")._replace(experiment=changed)
    with pytest.raises(ConfigError, match="no single-frame variant trains its backbone 'hrnet_w32"):
        opened.study.stage_one("tips")
