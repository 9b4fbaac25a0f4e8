"""Settings of a training of TDMI."""

from typing import ClassVar, Literal

from pydantic import field_validator

from tips.config import experiment
from tips.config.experiment import Experiment
from tips.config.parts import Size, Weight
from tips.models.baselines.shared_settings import Start, several


class Losses(experiment.Losses):
    """Weights of the losses; `disentangle` is that of the separation of both motions."""

    disentangle: Weight = 0.0


class Settings(Experiment):
    """One training of TDMI."""

    from_features: ClassVar[bool] = False  # it also reads the backbone's earlier stages

    model: Literal["tdmi"]
    width: Size  # channels of every map behind the backbone
    head: Start
    losses: Losses

    @field_validator("window")
    @classmethod
    def _several(cls, window: tuple[int, ...]) -> tuple[int, ...]:
        return several(window, "tdmi")

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the common terms and of the disentanglement."""
        own = self.losses.disentangle
        return super().weights | ({"disentangle": own} if own else {})
