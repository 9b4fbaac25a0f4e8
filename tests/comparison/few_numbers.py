"""Numbers of a study without a study."""

from typing import Any

from tips.tables.study_numbers import Numbers


def numbers(*rows: dict[str, Any], conclusions: tuple[dict[str, Any], ...] = ()) -> Numbers:
    """Numbers of the embedded dataset with these rows and conclusions."""
    about = {"scale": "desk", "dataset": "embedded", "metric": "AP", "sequences": 40}
    return Numbers.model_validate(about | {"rows": rows, "conclusions": conclusions})
