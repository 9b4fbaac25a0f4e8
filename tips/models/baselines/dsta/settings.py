"""Settings of a training of DSTA."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from tips import skeleton
from tips.config import experiment
from tips.config.experiment import Experiment
from tips.config.parts import Count, Size, Weight
from tips.models.baselines.shared_settings import Start
from tips.skeleton import Skeleton

HEADS: Final = 8  # number of attention heads


class Losses(experiment.Losses):
    """Weights of the losses: coordinates learn by their likelihood; heat maps have no loss."""

    likelihood: Weight = 0.0


class Settings(Experiment):
    """One training of DSTA. Its limbs are defined for PoseTrack's joints alone."""

    bodies: ClassVar[tuple[Skeleton, ...]] = (skeleton.POSETRACK,)

    model: Literal["dsta"]
    width: Size  # channels of a joint's token
    blocks: Count  # number of transformer blocks of each decoder
    drop: Annotated[float, Field(ge=0, lt=1)]  # rate of the last block's stochastic depth
    head: Start
    losses: Losses

    @field_validator("width")
    @classmethod
    def _divisible(cls, width: int) -> int:
        if width % HEADS:
            raise ValueError(
                f"model dsta has {HEADS} attention heads; set width to a multiple of {HEADS}, "
                f"not {width}"
            )
        return width

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the common terms and of the likelihood."""
        own = self.losses.likelihood
        return super().weights | ({"likelihood": own} if own else {})
