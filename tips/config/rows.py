"""The names of rows that workflow and report refer to; each name stands here once."""

from typing import Final

from tips import kinds

BACKBONE: Final = "hrnet"  # stage one, and the first row of Tables II-IV and VI
FULL: Final = "tips"  # the full model
CAPACITY_CONTROL: Final = "concat-wide"  # as many parameters as the full model, none of its parts
SINGLE_FRAME: Final = "single-frame"  # frame t alone; its head corrects the backbone's maps
SCRATCH: Final = "single-frame-scratch"  # the same, but its head starts from scratch, as all rows'
COPY: Final = "copy-3"  # copies heat maps from the surest of three frames; it is not trained
MEAN_POSE: Final = "mean-pose"  # a predictor without a network; it is scored, but not trained


def rivals() -> tuple[str, ...]:
    """Lists the rows of other papers' second stages, one per kind in `models/baselines`."""
    homes = kinds.homes(kinds.MODEL)
    return tuple(kind.replace("_", "-") for kind, home in homes.items() if ".baselines." in home)
