"""Settings of the embedded dataset: real motion capture on a parametric body, rendered.

Every field states its unit. Defaults are the values that the desk scale was measured with; a scale
overrides fields under `dataset.embedded`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from tips.config.layers import ConfigError, layered
from tips.config.parts import MOST, Part

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Annotated[float, Field(ge=0, le=10_000)], Annotated[float, Field(ge=0, le=10_000)]]
Split = Literal["train", "val", "stills"]

MOTIONS = (
    "walk",
    "run",
    "jump",
    "cartwheel",
    "backflip",
    "spinkick",
    "kick",
    "punch",
    "roll",
    "crawl",
    "dance_a",
    "dance_b",
    "spin",
    "getup_facedown",
    "getup_faceup",
)
VAL_MOTIONS = ("run", "punch", "dance_a", "getup_facedown", "backflip")


class Embedded(Part):
    """All settings of the embedded dataset; see the description of each field."""

    seed: int = Field(0, ge=0, le=MOST, description="seed of everything but the body bank")
    width: int = Field(192, ge=32, le=2048, multiple_of=2, description="frame width, px")
    height: int = Field(144, ge=32, le=2048, multiple_of=2, description="frame height, px")
    fps: float = Field(60, gt=0, le=1000, description="frames a second")
    speed: Range = Field((0.7, 1.3), description="playback speed of a clip, times real time")
    people: tuple[int, int] = Field((2, 3), description="annotated people of a scene, least, most")
    person_height: Range = Field((70, 95), description="image height of a standing person, px")
    crossing: Share = Field(0.25, description="share of scenes where two people cross")
    bystanders: Share = Field(
        0.1, description="share of scenes with one small unannotated person in an ignore region"
    )
    supersampling: int = Field(2, ge=1, le=4, description="rendered px per frame px, each axis")
    subframes: int = Field(2, ge=1, le=16, description="renderings averaged over the open shutter")
    shutter: Share = Field(0.5, description="open part of a frame's time")
    frame_noise: Range = Field((1.0, 3.0), description="sd of the noise of a clean frame, of 255")

    degraded: Share = Field(0.35, description="share of degraded frames")
    burst: float = Field(
        2.5, ge=1, le=8, description="mean length of a run of degraded frames; 1 = independent"
    )
    severity: Range = Field(
        (0.5, 1.0), description="severity of a degraded frame; 0 = clean, 1 = as below"
    )
    defocus: Range = Field((3.0, 5.5), description="sd of the defocus blur, px")
    shake: Range = Field((12.0, 22.0), description="length of the camera shake, px")
    exposure: Range = Field((0.04, 0.12), description="factor of an underexposed frame")
    exposure_noise: Range = Field(
        (4.0, 8.0), description="sd of the noise of an underexposed frame, of 255"
    )

    occluders: float = Field(1, ge=0, le=8, description="flat occluders per person and sequence")
    covers: float = Field(
        1, ge=0, le=8, description="hidden limbs per person and sequence; the cover moves with it"
    )
    cover_frames: Range = Field((3, 8), description="frames for which a limb stays hidden")
    occluders_moving: Share = Field(0.75, description="share of the occluders that move")

    train: int = Field(400, ge=1, le=MOST, description="training sequences")
    val: int = Field(390, ge=1, le=MOST, description="validation sequences")
    stills: int = Field(6000, ge=0, le=MOST, description="one-frame scenes for the backbone")
    stills_per_sequence: int = Field(50, ge=1, le=9999, description="scenes in a stills sequence")
    frames: int = Field(15, ge=1, le=9999, description="frames of a sequence")
    key_frames: tuple[int, ...] = Field((4, 7, 10), description="labelled frames, from 0")
    shards: dict[Split, Annotated[int, Field(ge=1, le=1000)]] = Field(
        {"train": 4, "val": 6, "stills": 4}, description="jobs that a split is cut into"
    )

    bodies: int = Field(48, ge=1, le=1000, description="bodies of each side (train, val)")
    bodies_seed: int = Field(0, ge=0, le=MOST, description="seed of the body bank")
    joint_noise: float = Field(
        0.15, ge=0, le=0.5, description="sd of the joint angles' noise, rad; train side only"
    )
    mixing: Share = Field(
        0.5, description="share of people with the upper body of another clip; train side only"
    )
    train_motions: tuple[str, ...] = Field(
        tuple(name for name in MOTIONS if name not in VAL_MOTIONS),
        min_length=1,
        description="clips of train and stills",
    )
    val_motions: tuple[str, ...] = Field(VAL_MOTIONS, min_length=1, description="clips of val")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_ranges()
        self._check_motions()
        wrong = [frame for frame in self.key_frames if not 0 <= frame < self.frames]
        if wrong or not self.key_frames or len(set(self.key_frames)) != len(self.key_frames):
            raise ValueError(
                f"key_frames must be distinct positions in 0..{self.frames - 1} "
                f"(frames = {self.frames}), at least one; got {list(self.key_frames)}"
            )
        if set(self.shards) != {"train", "val", "stills"}:
            raise ValueError(f"shards must name train, val and stills; got {sorted(self.shards)}")
        return self

    def _check_ranges(self) -> None:
        for name in (
            "speed",
            "people",
            "person_height",
            "frame_noise",
            "defocus",
            "shake",
            "exposure",
            "exposure_noise",
            "severity",
            "cover_frames",
        ):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be 0 <= least <= most; got [{low}, {high}]")
        if self.severity[0] == 0 or self.severity[1] > 1:
            raise ValueError(f"severity must lie above 0, up to 1; got {list(self.severity)}")
        if self.speed[0] == 0 or self.person_height[0] < 8:
            raise ValueError("speed must be above 0 and person_height at least 8 px")
        if not 1 <= self.people[0] <= self.people[1] <= 6:
            raise ValueError(f"people must lie in 1..6; got {list(self.people)}")

    def _check_motions(self) -> None:
        unknown = sorted({*self.train_motions, *self.val_motions} - set(MOTIONS))
        if unknown:
            raise ValueError(f"unknown motions {unknown}; known: {', '.join(MOTIONS)}")
        both = sorted(set(self.train_motions) & set(self.val_motions))
        if both:
            raise ValueError(
                f"motions {both} are on both sides; the split is by motion clip, so move them"
            )

    def motions(self, split: Split) -> tuple[str, ...]:
        """Returns the clips of a split."""
        return self.val_motions if split == "val" else self.train_motions

    def sequences(self, split: Split) -> int:
        """Returns the number of sequences of a split."""
        if split == "stills":
            return -(-self.stills // self.stills_per_sequence)
        return self.train if split == "train" else self.val


def load_embedded(path: Path | None) -> Embedded:
    """Reads settings from a YAML or JSON file of `Embedded` fields, or from a scale file.

    Args:
        path: the file; None: all defaults.

    Returns:
        The settings.

    Raises:
        ConfigError: if the file is absent or no mapping, or a field is unknown or out of range.
    """
    if path is None:
        return Embedded()
    fields = layered(path)
    dataset = fields.get("dataset")
    if isinstance(dataset, dict):  # a scale file
        fields = dataset.get("embedded") or {}
    try:
        return Embedded.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        raise ConfigError(
            f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}"
        ) from error
