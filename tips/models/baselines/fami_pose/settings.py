"""Settings of a training of FAMI-Pose."""

from typing import Any, Literal

from pydantic import field_validator

from tips.config import experiment
from tips.config.experiment import Experiment
from tips.config.parts import Size, Weight
from tips.models.baselines.shared_settings import Start, several


class Losses(experiment.Losses):
    """Weights of FAMI-Pose's Eq. 5: alpha is `information`, beta is `complement`."""

    information: Weight = 0.0  # alpha
    complement: Weight = 0.0  # beta
    redundancy: Weight = 0.0
    estimator: Literal["vsd", "fami_released"] = "vsd"


class Settings(Experiment):
    """One training of FAMI-Pose."""

    model: Literal["fami_pose"]
    width: Size  # channels of every map behind the backbone; must be the backbone's own
    head: Start
    losses: Losses

    @field_validator("window")
    @classmethod
    def _several(cls, window: tuple[int, ...]) -> tuple[int, ...]:
        return several(window, "fami_pose")

    @property
    def weights(self) -> dict[str, float]:
        """The weights of all terms, each multiplied by alpha where Eq. 5 has it."""
        w = self.losses
        own = {name: w.information * getattr(w, name) for name in ("complement", "redundancy")}
        return super().weights | {name: weight for name, weight in own.items() if weight}

    def meaning(self) -> dict[str, Any]:
        """Leaves out the estimator where no term uses it."""
        found = super().meaning()
        if {"complement", "redundancy"} & self.weights.keys():
            found["estimator"] = self.losses.estimator
        return found
