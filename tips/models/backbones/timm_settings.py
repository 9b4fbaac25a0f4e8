"""Settings that all backbones built by timm share."""

from tips.config.experiment import Backbone


class Timm(Backbone):
    """A network of timm.

    `arch` overrides entries of timm's architecture table or arguments; null keeps the published
    ones.
    """

    name: str
    arch: dict[str, object] | None = None
