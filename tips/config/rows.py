"""The rows that the workflow and the report speak of by name: each name stands here once."""

from typing import Final

from tips import kinds

BACKBONE: Final = "hrnet"  # stage one, and the first row of Tables II-IV and VI
FULL: Final = "tips"  # the full model
CAPACITY_CONTROL: Final = "concat-wide"  # as many parameters as the full model, none of its parts
SINGLE_FRAME: Final = "single-frame"  # the second stage without any neighbour
SCRATCH: Final = "single-frame-scratch"  # the same from a head that knows nothing
MEAN_POSE: Final = "mean-pose"  # the predictor without a network: scored, never trained


def rivals() -> tuple[str, ...]:
    """Names the rows of other papers' second stages: one per kind in `models/baselines`."""
    homes = kinds.homes(kinds.MODEL)
    return tuple(kind.replace("_", "-") for kind, home in homes.items() if ".baselines." in home)
