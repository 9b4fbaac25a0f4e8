"""Guests: predictions that something else made, as the files of experiments/guests name them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from tips import kinds, skeleton
from tips.config.judged import validated
from tips.config.layers import ConfigError, read_yaml
from tips.config.loader import experiment_files
from tips.config.names import as_name
from tips.config.parts import Part, Positive
from tips.config.rows import MEAN_POSE
from tips.config.scale import Scale

FOLDER: Final = "guests"  # of experiments/
Words = Annotated[str, Field(min_length=1, max_length=1000)]
PeerName = Literal["blazepose", "movenet-lightning", "movenet-thunder"]


class Guest(Part):
    """Predictions in PoseTrack's json, and what a reader must know of them."""

    title: Words
    folder: Words | None = None  # of the json files, relative to the working folder
    peer: PeerName | None = None  # the public network that a rule runs here, in place of a folder
    origin: Words  # who made it: a paper, an address, a command; it is only shown
    frames: Positive  # number of frames that a pose is computed from
    trained_on: Words
    boxes: Words  # where people's boxes come from
    made: Literal["self-reported", "here"]
    scales: tuple[str, ...] | None = None  # the scales that it is for; null: all

    @model_validator(mode="after")
    def _one_source(self) -> "Guest":
        if (self.folder is None) == (self.peer is None):
            raise ValueError("needs one of `folder` and `peer`, and not both")
        return self


def guest_file(name: str, experiments: Path) -> Path:
    """Names the file of a guest."""
    return experiments / FOLDER / f"{name}.yaml"


def load_guests(scale: str, settings: Scale, experiments: Path) -> dict[str, Guest]:
    """Reads the guests of a study, by name.

    A guest that is for other scales is left out. So are all guests of a dataset whose joints are
    not PoseTrack's, because their files cannot hold them.

    Args:
        scale: the name of the scale's file.
        settings: the scale.
        experiments: the folder.

    Raises:
        ConfigError: if anything is wrong; the message names file, key and remedy.
    """
    if settings.dataset.body is not skeleton.POSETRACK:
        return {}
    taken = {path.stem.casefold(): path for path in experiment_files(experiments)}
    known = {file.stem for file in (experiments / "scales").glob("[!.]*.yaml")}
    found: dict[str, Guest] = {}
    for path in _files(experiments):
        name = as_name(path.stem, f"{path}: the file's name", "rename the file")
        other = taken.setdefault(name.casefold(), path)
        if other != path or name.casefold() == MEAN_POSE.casefold():
            row = MEAN_POSE if other == path else other
            raise ConfigError(
                f"{path}: the name of {row}, and results of both would have one name; rename the "
                "file"
            )
        guest = validated(Guest, read_yaml(path), path)
        for one in guest.scales or ():
            if one not in known:
                raise ConfigError(
                    f"{path}: scales: unknown scale '{one}'{kinds.nearest(one, known)}"
                )
        if guest.scales is None or scale in guest.scales:
            found[name] = guest
    return found


def _files(experiments: Path) -> Iterator[Path]:
    """Yields the guests' files; hidden ones are an editor's."""
    yield from sorted((experiments / FOLDER).glob("[!.]*.yaml"))
