"""Settings of a training of TIPS: the parts of Fig. 2, their sizes, and the weights of Eq. 4-15."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from tips import kinds, records, skeleton
from tips.config import experiment
from tips.config.experiment import Encoder, Experiment, Parts
from tips.config.layers import ConfigError
from tips.config.parts import Count, OfKind, Part, Size, Weight
from tips.skeleton import Skeleton

FEATURES = "features"  # no interim frames: interim features are computed from both neighbours' F


class Synthesis(Part):
    """Pose synthesizer, Eq. 1. `points` are the (alpha, beta) of Eq. 15, one pose each."""

    points: tuple[tuple[float, float], ...] = Field(min_length=1)
    encoder: Annotated[Encoder, OfKind(kinds.ENCODER)]

    @field_validator("points")
    @classmethod
    def _on_the_line(
        cls, points: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        for alpha, beta in points:
            if not math.isclose(alpha + beta, 2.0) or min(alpha, beta) < 0:
                raise ValueError(
                    f"alpha + beta must be 2 with both in [0, 2] (Eq. 15); got [{alpha}, {beta}]"
                )
        return points


class _Found(BaseModel):
    """What is read of the file that the rule `group` writes."""

    names: tuple[tuple[str, ...], ...]


class Groups(Part):
    """Part groups: those of Table V, those that spectral clustering finds, or a listed set."""

    source: Literal["published", "spectral", "listed"]
    count: Size
    parts: tuple[tuple[str, ...], ...] | None = None

    @model_validator(mode="after")
    def _known(self) -> "Groups":
        if self.source == "published" and self.count not in skeleton.GROUPS:
            known = ", ".join(map(str, skeleton.GROUPS))
            raise ValueError(f"Table V has groups for N = {known}; got {self.count}")
        if (self.source == "listed") != (self.parts is not None):
            raise ValueError("`parts` is given exactly when source is `listed`")
        if self.parts is not None:
            partition(self.parts)
            if len(self.parts) != self.count:
                raise ValueError(f"count is {self.count}, but {len(self.parts)} groups are listed")
        return self

    def resolve(self, spectral: Path | None, body: Skeleton) -> Parts:
        """Resolves the groups to joint ids; arguments and errors as of `Experiment.groups`."""
        if self.source == "published":
            if self.count not in body.groups:
                known = ", ".join(map(str, body.groups))
                raise ConfigError(
                    f"these joints have groups for N = {known}; got {self.count}; leave the "
                    "variant out of the scale's rows"
                )
            return tuple(body.groups[self.count].values())
        if body is not skeleton.POSETRACK:
            raise ConfigError(
                f"groups.source {self.source} is for PoseTrack's joints; leave the variant out "
                "of the scale's rows"
            )
        if self.source == "listed":
            return partition(self.parts or ())
        if spectral is None:
            raise ConfigError("groups.source spectral needs the file that the rule `group` writes")
        found = partition(records.read(_Found, spectral).names)
        if len(found) != self.count:
            raise ConfigError(
                f"{spectral}: holds {len(found)} groups, but {self.count} are wanted; delete it "
                "and run again"
            )
        return found


def partition(parts: tuple[tuple[str, ...], ...]) -> Parts:
    """Turns joint names into ids. Raises ValueError unless each joint is in exactly one group."""
    names = [name for group in parts for name in group]
    for name in names:
        if name not in skeleton.INDEX:
            raise ValueError(f"unknown joint '{name}'; known: {', '.join(skeleton.JOINTS)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in skeleton.JOINTS if name not in names]
    if twice or missing or not all(parts):
        raise ValueError(
            "groups must hold each of the 15 joints once and none may be empty; "
            f"twice: {', '.join(twice) or 'none'}; missing: {', '.join(missing) or 'none'}"
        )
    return tuple(tuple(skeleton.INDEX[name] for name in group) for group in parts)


class Distillation(Part):
    """Pose distillation, Fig. 2c: one encoder per part group, and their aggregation."""

    groups: Groups
    encoder: Annotated[Encoder, OfKind(kinds.ENCODER)]


class Fusion(Part):
    """Fusion of frames and synthesized poses to z. `expansion` is for the capacity control."""

    blocks: Count
    expansion: Count


class Head(Part):
    """The final encoder; with `start: backbone` it corrects the backbone's own heat maps."""

    start: Literal["backbone", "scratch"]
    encoder: Annotated[Encoder, OfKind(kinds.ENCODER)]


class Losses(experiment.Losses):
    """Weights of the terms of Eq. 4-15; `heatmap`, Eq. 6, is one of the common terms."""

    trajectory: Weight = 0.0  # of S_w (Eq. 4 and 15), multiplied by gamma_s
    anchor: Weight = 0.0  # of 2 ||R^ - R|| (Eq. 5), multiplied by gamma_s
    variety: Weight = 0.0  # gamma_var
    complement: Weight = 0.0  # gamma_com
    redundancy: Weight = 0.0  # gamma_red
    synthesis: Weight = 0.0  # gamma_s
    information: Weight = 0.0  # gamma_info
    estimator: Literal["vsd", "fami_released"] = "vsd"
    red_level: Literal["label", "feature"] = "label"


class Settings(Experiment):
    """One training of TIPS; a part that the variant lacks is null."""

    model: Literal["tips"]
    width: Size  # D, channels of every map behind the backbone
    blocks: Count  # number of residual blocks of C (Eq. 2)
    interim: str  # a kind of interim generator, or `features`
    synthesis: Synthesis | None
    fusion: Fusion
    distillation: Distillation | None
    head: Head
    losses: Losses

    @field_validator("interim")
    @classmethod
    def _known(cls, interim: str) -> str:
        known = [*kinds.homes(kinds.INTERIM), FEATURES]
        if interim not in known:
            raise ValueError(f"unknown generator '{interim}'{kinds.nearest(interim, known)}")
        return interim

    @model_validator(mode="after")
    def _composes(self) -> "Settings":
        if self.synthesis is not None and len(self.window) < 2:
            raise ValueError(f"synthesis needs two frames or more; window is {list(self.window)}")
        return self

    @property
    def interim_frames(self) -> str | None:
        """The kind of generator whose interim frames the synthesizer looks at; None without."""
        looks = self.synthesis is not None and self.interim != FEATURES
        return self.interim if looks else None

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The (alpha, beta) of Eq. 15, one pair per synthesized pose of an interval."""
        return () if self.synthesis is None else self.synthesis.points

    @property
    def spectral_groups(self) -> int | None:
        """N, if the distillation's groups are those that clustering finds in the data."""
        groups = None if self.distillation is None else self.distillation.groups
        return groups.count if groups is not None and groups.source == "spectral" else None

    def groups(self, spectral: Path | None = None, body: Skeleton = skeleton.POSETRACK) -> Parts:
        """Resolves the distillation's groups; see `Experiment.groups`."""
        if self.distillation is None:
            return ()
        return self.distillation.groups.resolve(spectral, body)

    def with_any_groups(self) -> "Settings":
        """Replaces groups that are not yet found in the data by as many arbitrary ones.

        For callers that need the network's size and not its groups.
        """
        if self.spectral_groups is None or self.distillation is None:
            return self
        count = self.spectral_groups
        parts = tuple(skeleton.JOINTS[first::count] for first in range(count))
        groups = self.distillation.groups.model_copy(update={"source": "listed", "parts": parts})
        changed = self.distillation.model_copy(update={"groups": groups})
        return self.model_copy(update={"distillation": changed})

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the parts that there are, the gammas of Eq. 5 and 13 multiplied in."""
        w = self.losses
        found = super().weights
        if self.synthesis is not None:
            found |= {name: w.synthesis * getattr(w, name) for name in ("trajectory", "anchor")}
        if self.distillation is not None:
            names = ("variety", "complement", "redundancy")
            found |= {name: w.information * getattr(w, name) for name in names}
        return {name: weight for name, weight in found.items() if weight}

    def meaning(self) -> dict[str, Any]:
        """Leaves out settings that nothing reads.

        They are the generator without synthesis, the estimators of absent terms, and `blocks`
        without synthesis and distillation.
        """
        found = super().meaning()
        if self.synthesis is None:
            found.pop("interim")
            if self.distillation is None:
                found.pop("blocks")
        terms = self.weights.keys()
        if {"complement", "redundancy"} & terms:
            found["estimator"] = self.losses.estimator
        if "redundancy" in terms and self.losses.estimator == "vsd":
            found["red_level"] = self.losses.red_level
        return found
