"""Experiment -> objects: the only file that knows every part by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tips import records, skeleton
from tips.config import ConfigError, Encoder, Experiment, Groups, Vfit, partition
from tips.interim import average, flow
from tips.interim.generator import InterimGenerator
from tips.interim.vfit import VfitGenerator
from tips.losses import disentangle, fami, heatmap, information, likelihood, trajectory
from tips.losses.base import Loss
from tips.models.backbones.hrnet import HRNet
from tips.models.backbones.hrnet_ms import MultiStageHRNet
from tips.models.backbones.vitpose import ViTPose
from tips.models.baselines import dcpose, dsta, posewarper
from tips.models.baselines.deform import scaled
from tips.models.baselines.fami_pose import FamiPose
from tips.models.baselines.single_frame import SingleFrame
from tips.models.baselines.tdmi import Tdmi
from tips.models.coordinates import CoordinateHeads, NoCoordinates
from tips.models.distiller import NoDistillation, PoseDistiller
from tips.models.encoders import ConvEncoder, TransformerEncoder
from tips.models.heads import BackboneStart, Fusion, HeatmapHead, ScratchStart
from tips.models.interfaces import Backbone, PoseModel, StagedBackbone
from tips.models.synthesizer import FromFeatures, FromImages, NoSynthesis, PoseSynthesizer
from tips.models.tips import Tips
from tips.models.vfit.network import VFIT
from tips.models.vfit.sizes import SIZES
from tips.models.weights import (
    fitting,
    load_published,
    load_weights,
    own_names,
    published_state,
    read_checkpoint,
)
from tips.training.criterion import Criterion, Weighted

Parts = tuple[tuple[int, ...], ...]
BACKBONE = "backbone."  # its keys in a checkpoint of ours


def _vfit(settings: Vfit | None, device: torch.device) -> InterimGenerator:
    if settings is None or settings.weights is None:
        raise ConfigError(
            "interim 'vfit' needs a checkpoint; name it as vfit.weights in the scale's YAML, "
            "or use 'flow'"
        )
    network = VFIT(SIZES[settings.size])
    load_published(network, own_names(network), (), Path(settings.weights))
    return VfitGenerator(network.to(device).eval(), device)


GENERATORS: dict[str, Callable[[Vfit | None, torch.device], InterimGenerator]] = {
    "average": lambda *_: average.build(),
    "flow": lambda *_: flow.build(),
    "vfit": _vfit,
}

BACKBONES: dict[str, Callable[[Experiment, dict[str, Any], bool], Backbone]] = {
    "hrnet": lambda e, arch, autocast: HRNet(e.backbone.name, arch, autocast),
    "hrnet_ms": lambda e, arch, autocast: MultiStageHRNet(e.backbone.name, arch, autocast),
    "vitpose": lambda e, arch, autocast: ViTPose(
        e.backbone.name, arch, (e.crop.height, e.crop.width), autocast
    ),
}
STARTS: dict[str, type[nn.Module]] = {"backbone": BackboneStart, "scratch": ScratchStart}
ENCODERS: dict[str, Callable[[Encoder, int], nn.Module]] = {
    "transformer": lambda e, width: TransformerEncoder(
        width, e.layers, e.heads, e.points, e.feedforward, e.dropout
    ),
    "conv": lambda e, width: ConvEncoder(width, e.layers),
}


def build_groups(
    groups: Groups, spectral: Path | None = None, body: skeleton.Skeleton = skeleton.POSETRACK
) -> Parts:
    """Resolves part groups to joint ids.

    Args:
        groups: the configuration.
        spectral: file of data-driven groups, needed for source `spectral`.
        body: the dataset's joints.

    Raises:
        ConfigError: if that file does not hold a partition, or the joints have no such groups.
    """
    if groups.source == "published":
        if groups.count not in body.groups:
            known = ", ".join(map(str, body.groups))
            raise ConfigError(
                f"these joints have groups for N = {known}; got {groups.count}; leave the variant "
                "out of the scale's rows"
            )
        return tuple(body.groups[groups.count].values())
    if body is not skeleton.POSETRACK:
        raise ConfigError(
            f"groups.source {groups.source} is for PoseTrack's joints; leave the variant out of "
            "the scale's rows"
        )
    if groups.source == "listed":
        return partition(groups.parts or ())
    if spectral is None:
        raise ConfigError("groups.source spectral needs the file that the rule `group` writes")
    found = records.read_json(spectral)
    return partition(tuple(tuple(names) for names in found["names"]))


def build_model(experiment: Experiment, groups: Parts = (), autocast: bool = False) -> PoseModel:
    """Builds a model with fresh weights; needs no file and no network.

    Args:
        experiment: the configuration.
        groups: part groups, from `build_groups`; empty without distillation.
        autocast: run the backbone in bfloat16.
    """
    return MODELS[experiment.model](experiment, groups, autocast)


def _single_frame(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    return SingleFrame(_backbone(e, autocast))


def _tips(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    backbone = _backbone(e, autocast)
    synthesizer, coordinate_heads, maps = _synthesis(e, backbone.channels)
    channels = len(e.window) * backbone.channels + maps * e.width
    return Tips(
        backbone=backbone,
        synthesizer=synthesizer,
        fuse=Fusion(channels, e.width, e.fusion.blocks, e.fusion.expansion),
        distiller=_distiller(e, groups),
        start=STARTS[e.head.start](),
        head=HeatmapHead(backbone.channels, e.width, build_encoder(e.head.encoder, e.width)),
        coordinate_heads=coordinate_heads,
        t=e.t,
    )


def _dcpose(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    _check_window(e, dcpose.WINDOW)
    backbone = _backbone(e, autocast)
    dilations = _dilations(e, backbone, dcpose.DILATIONS)
    corrects = e.head.start == "backbone"
    head = dcpose.DCPoseHead(e.width, e.blocks, dilations, corrects=corrects)
    return dcpose.DCPose(backbone, STARTS[e.head.start](), e.t, head)


def _posewarper(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    _check_window(e, posewarper.WINDOW)
    backbone = _backbone(e, autocast)
    warp = posewarper.Warp(e.width, e.blocks, _dilations(e, backbone, posewarper.DILATIONS))
    return posewarper.PoseWarper(backbone, e.t, warp)


def _check_window(e: Experiment, window: tuple[int, ...]) -> None:
    if e.window != window:
        raise ConfigError(
            f"model {e.model} has weights for window {list(window)} alone; got {list(e.window)}"
        )


def _dilations(e: Experiment, backbone: Backbone, published: tuple[int, ...]) -> tuple[int, ...]:
    return scaled(published, e.crop.height // backbone.stride)


def _fami_pose(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    backbone = _backbone(e, autocast)
    if e.width != backbone.channels:  # the losses read behind the backbone with its own head
        raise ConfigError(
            f"model fami_pose has the backbone's width; set width to {backbone.channels}, "
            f"not {e.width}"
        )
    return FamiPose(
        backbone,
        STARTS[e.head.start](),
        e.t,
        frames=_frames(e),
        width=e.width,
        size=(e.crop.height // backbone.stride, e.crop.width // backbone.stride),
    )


def _tdmi(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    backbone = _backbone(e, autocast)
    if not isinstance(backbone, StagedBackbone):
        raise ConfigError(
            f"model tdmi needs the stages of an HRNet; backbone {e.backbone.kind} has none, so "
            "use hrnet or hrnet_ms"
        )
    return Tdmi(
        backbone,
        STARTS[e.head.start](),
        e.t,
        frames=_frames(e),
        width=e.width,
        height=e.crop.height // backbone.stride,
    )


def _frames(e: Experiment) -> int:
    if len(e.window) < 2:
        raise ConfigError(
            f"model {e.model} compares frames; window {list(e.window)} needs two or more"
        )
    return len(e.window)


def _dsta(e: Experiment, groups: Parts, autocast: bool) -> PoseModel:
    if e.width % dsta.HEADS:
        raise ConfigError(
            f"model dsta has {dsta.HEADS} attention heads; set width to a multiple of "
            f"{dsta.HEADS}, not {e.width}"
        )
    backbone = _backbone(e, autocast)
    return dsta.Dsta(
        backbone=backbone,
        start=STARTS[e.head.start](),
        t=e.t,
        frames=len(e.window),
        size=(e.crop.height // backbone.stride, e.crop.width // backbone.stride),
        width=e.width,
        blocks=e.blocks,
        drop=e.head.encoder.dropout,
    )


MODELS: dict[str, Callable[[Experiment, Parts, bool], PoseModel]] = {
    "dcpose": _dcpose,
    "posewarper": _posewarper,
    "single_frame": _single_frame,
    "tips": _tips,
    "fami_pose": _fami_pose,
    "tdmi": _tdmi,
    "dsta": _dsta,
}


def build_encoder(encoder: Encoder, width: int) -> nn.Module:
    """Builds one encoder stack (Table III's choice)."""
    return ENCODERS[encoder.kind](encoder, width)


def _backbone(e: Experiment, autocast: bool) -> Backbone:
    arch: dict[str, Any] = json.loads(json.dumps(e.backbone.arch or {}))
    return BACKBONES[e.backbone.kind](e, arch, autocast)


def _synthesis(e: Experiment, channels: int) -> tuple[nn.Module, nn.Module, int]:
    if e.synthesis is None:
        return NoSynthesis(e.width), NoCoordinates(), 0
    count = len(e.synthesis.points)
    encoder = build_encoder(e.synthesis.encoder, e.width)
    rough = FromImages() if e.rough_frames else FromFeatures(channels, e.width, e.blocks)
    synthesizer = PoseSynthesizer(rough, channels, e.width, count, encoder)
    heads = CoordinateHeads(channels, e.width, e.blocks, count)
    return synthesizer, heads, count * (len(e.window) - 1)


def _distiller(e: Experiment, groups: Parts) -> nn.Module:
    if e.distillation is None:
        return NoDistillation()
    if len(groups) != e.distillation.groups.count:
        raise ConfigError(
            f"distillation.groups.count is {e.distillation.groups.count}, "
            f"but {len(groups)} groups were given"
        )
    encoders = [build_encoder(e.distillation.encoder, e.width) for _ in groups]
    return PoseDistiller(e.width, groups, encoders, e.blocks)


def build_criterion(experiment: Experiment, model: PoseModel, groups: Parts = ()) -> Criterion:
    """Builds the weighted terms of Eq. 14; a term of weight 0 is neither built nor run."""
    e, w = experiment, experiment.losses
    pose = likelihood.LikelihoodLoss() if e.model == "dsta" else heatmap.HeatmapLoss(groups)
    terms: list[Weighted] = [Weighted(pose, w.heatmap)]
    if e.synthesis is not None:
        line = trajectory.TrajectoryLoss(e.synthesis.points)
        terms.append(Weighted(line, w.synthesis * w.trajectory))
        terms.append(Weighted(trajectory.AnchorLoss(e.t), w.synthesis * w.anchor))
    if e.distillation is not None:
        terms.extend(_information(e, model, groups))
    if e.model in RIVAL_TERMS:
        terms.extend(RIVAL_TERMS[e.model](e, model))
    return Criterion([term for term in terms if term.weight > 0])


def _information(e: Experiment, model: PoseModel, groups: Parts) -> list[Weighted]:
    backbone = model.backbone
    h_z = information.auxiliary_head(e.width)
    complement: Loss
    redundancy: Loss
    if e.losses.estimator == "fami_released":
        complement = information.ReleasedComplementLoss(backbone.maps, h_z, e.t)
        redundancy = information.ReleasedRedundancyLoss(groups)
    else:
        complement = information.ComplementLoss(backbone.maps, h_z, e.t)
        redundancy = (
            information.RedundancyLoss(groups, h_z)
            if e.losses.red_level == "label"
            else information.FeatureRedundancyLoss(groups, e.width)
        )
    gamma = e.losses.information
    return [
        Weighted(information.VarietyLoss(), gamma * e.losses.variety),
        Weighted(complement, gamma * e.losses.complement),
        Weighted(redundancy, gamma * e.losses.redundancy),
    ]


def _of_fami_pose(e: Experiment, model: PoseModel) -> list[Weighted]:
    maps = model.backbone.maps
    complement: Loss
    redundancy: Loss
    if e.losses.estimator == "fami_released":
        complement = fami.ReleasedSupportComplementLoss(maps, e.t)
        redundancy = fami.ReleasedSupportRedundancyLoss(maps, e.t)
    else:
        h_z, h_sup = (information.auxiliary_head(e.width) for _ in range(2))
        complement = information.ComplementLoss(maps, h_z, e.t)
        redundancy = fami.SupportRedundancyLoss(maps, h_z, h_sup, e.t)
    return [
        Weighted(complement, e.losses.information * e.losses.complement),
        Weighted(redundancy, e.losses.information * e.losses.redundancy),
    ]


def _of_tdmi(e: Experiment, model: PoseModel) -> list[Weighted]:
    return [Weighted(disentangle.DisentangleLoss(), e.losses.information * e.losses.variety)]


RIVAL_TERMS: dict[str, Callable[[Experiment, PoseModel], list[Weighted]]] = {
    "fami_pose": _of_fami_pose,
    "tdmi": _of_tdmi,
}


def load_pretrained(model: PoseModel, checkpoint: Path) -> None:
    """Starts a backbone from a published checkpoint, or from a stage one of ours.

    Either holds the same tensors; what a published file of the network lacks, such as the neck
    of `hrnet_ms`, starts anew. Raises RecordError naming a misfit key.
    """
    backbone = model.backbone
    published = backbone.published()
    state = published_state(checkpoint)
    ours = {key.removeprefix(BACKBONE): v for key, v in state.items() if key.startswith(BACKBONE)}
    if not ours:
        load_published(backbone, published, backbone.unused, checkpoint)
        return
    shapes = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    wanted = {one.key for one in published.values()}
    fitting(ours, {key: shapes[key] for key in wanted}, checkpoint)
    backbone.load_state_dict(ours, strict=False)


def load_backbone(model: PoseModel, checkpoint: Path) -> None:
    """Loads stage one's backbone into a second-stage model and starts C_real from it.

    Raises:
        RecordError: if the file is truncated or holds another network.
    """
    state = read_checkpoint(checkpoint)["model"]
    own = {key.removeprefix(BACKBONE): v for key, v in state.items() if key.startswith(BACKBONE)}
    load_weights(model.backbone, own, checkpoint)
    heads = dict(model.named_children()).get("coordinate_heads")
    if isinstance(heads, CoordinateHeads):
        heads.start_from(model.backbone.final_layer)
