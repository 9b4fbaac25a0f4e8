"""What a variant's file asks of a study beside its training: seeds, and rows to compare it with.

No training reads these keys, so a change of them repeats none.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from tips import kinds
from tips.config.layers import ConfigError
from tips.config.names import Name
from tips.config.parts import Part
from tips.config.rows import MEAN_POSE
from tips.config.scale import Number
from tips.config.study import Study

Expected = Literal["above", "equal", "below"]  # of the variant, beside a row
ROWS: Final = 50  # that one variant is compared with


class Asked(Part):
    """The keys of one file; none of them is inherited."""

    seeds: Number | None = Field(
        None, description="number of seeds, unless the scale says another for this variant"
    )
    compare: Annotated[tuple[Name, ...], Field(max_length=ROWS)] = Field(
        (), description="rows that the variant is compared with; empty: the one that it extends"
    )
    expect: Expected | None = Field(
        None, description="what is expected of the variant beside each of these rows"
    )
    margin: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="smallest difference that matters, points; null: as in tables.yaml"
    )

    @field_validator("compare")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names each row once; twice: {', '.join(twice)}")
        return names


KEYS: Final = tuple(Asked.model_fields)


def apart(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Takes the keys of a file apart: first what it asks, then the settings of its training."""
    asked = {key: value for key, value in values.items() if key in KEYS}
    return asked, {key: value for key, value in values.items() if key not in KEYS}


def rows_beside(name: str, asked: Asked, study: Study, where: str) -> tuple[str, ...]:
    """Gives the rows that a variant is compared with.

    Args:
        name: the variant.
        asked: what its file asks.
        study: the scale with its variants.
        where: begins a message, such as the name of the file.

    Raises:
        ConfigError: the study lacks one of the rows, the variant is compared with itself, or
            something is expected although there is no row to compare it with.
    """
    parent = study.variant(name).parent
    rows = asked.compare or ((parent,) if parent in study.variants else ())
    known = (*study.variants, MEAN_POSE)
    for row in rows:
        if row == name:
            raise ConfigError(f"{where}: compare: '{name}' is this variant; name other rows")
        if row not in known:
            raise ConfigError(
                f"{where}: compare: scale '{study.scale.name}' has no row '{row}'"
                f"{kinds.nearest(row, known)}"
            )
    if not rows and (asked.expect or asked.margin):
        key = "expect" if asked.expect else "margin"
        raise ConfigError(f"{where}: {key}: there is no row to compare with; add `compare: [ROW]`")
    return rows
