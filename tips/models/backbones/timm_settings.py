"""What the backbones that timm builds share."""

from tips.config.experiment import Backbone


class Timm(Backbone):
    """A network of timm; `arch` overrides its table or arguments, null keeps the published ones."""

    name: str
    arch: dict[str, object] | None = None
