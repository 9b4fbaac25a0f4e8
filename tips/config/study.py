"""A study: one scale and all its variants."""

from typing import NamedTuple

from tips import kinds
from tips.config.experiment import Backbone, Experiment
from tips.config.layers import ConfigError
from tips.config.rows import BACKBONE
from tips.config.scale import Scale


class Variant(NamedTuple):
    """One experiment of the study."""

    name: str
    kind: str  # folder of its file: ablation, baselines, ...; "paper" for the full model
    experiment: Experiment
    seeds: int  # number of seeds
    parent: str = ""  # the variant that its file extends


class Study(NamedTuple):
    """A scale and its variants by name."""

    scale: Scale
    variants: dict[str, Variant]

    def variant(self, name: str) -> Variant:
        """Looks a variant up. Raises ConfigError, which names the nearest known one."""
        if name not in self.variants:
            raise ConfigError(f"unknown variant '{name}'{kinds.nearest(name, self.variants)}")
        return self.variants[name]

    def stage_one(self, name: str) -> str:
        """Names the single-frame variant whose trained backbone a second stage builds on.

        Raises:
            ConfigError: if no single-frame variant of the study has that backbone.
        """
        wanted = _network(self.variant(name))
        singles = [v for v in self.variants.values() if v.experiment.first_stage]
        for single in sorted(singles, key=lambda single: single.name != BACKBONE):
            if _network(single) == wanted:
                return single.name
        raise ConfigError(
            f"variant '{name}': no single-frame variant trains its backbone '{_called(wanted)}'; "
            "give one the same `backbone`"
        )

    def drawn_seed(self, name: str, seed: int) -> int:
        """Gives the number that seeds a run's weights, its samples' order and its augmentation.

        Args:
            name: the variant.
            seed: the number of the run.
        """
        seeds = self.scale.seeds
        shared = self.variant(name).experiment.first_stage and seeds.shared_backbone
        return seed if shared else seeds.first + seed

    def backbone_seed(self, seed: int) -> int:
        """Gives the seed of stage one on whose backbone a second stage of `seed` builds."""
        return 0 if self.scale.seeds.shared_backbone else seed


def _network(variant: Variant) -> Backbone:
    return variant.experiment.backbone.model_copy(update={"weights": None})


def _called(backbone: Backbone) -> str:
    """Gives the network's name if its kind has several, else the kind."""
    return str(getattr(backbone, "name", backbone.kind))
