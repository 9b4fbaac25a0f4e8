"""What `tips evaluate` says about files: rows of its tables and CSV, and its JSON."""

from typing import Any

from tips import skeleton
from tips.evaluation.average_precision import Scores, columns, total
from tips.records import without_nan

COUNTS = ("n_gt", "n_pred", "n_tp")
HEADER = ("part", "ap", "precision", "recall", *COUNTS)


def as_json(scores: Scores) -> dict[str, Any]:
    """The keys that the oracles of poseval's numbers have; joints in poseval's order."""
    return without_nan(
        {
            "ap": scores.ap.tolist(),
            "ap_mean": float(total(scores.ap)),
            "precision": scores.precision.tolist(),
            "recall": scores.recall.tolist(),
            "columns": {**columns(scores.ap), "Total": float(total(scores.ap))},
            "n_gt": scores.n_truth.tolist(),
            "n_pred": scores.n_found.tolist(),
            "n_tp": scores.n_hit.tolist(),
        }
    )


def column_rows(scores: Scores) -> list[tuple[Any, ...]]:
    """Rows of `HEADER` for the seven columns and the total; counts are sums over their joints."""
    curves = [scores.ap, scores.precision, scores.recall]
    counts = [scores.n_truth, scores.n_found, scores.n_hit]
    by_column = [columns(values) for values in curves]
    rows: list[tuple[Any, ...]] = []
    for name, joints in skeleton.COLUMNS.items():
        ids = [skeleton.INDEX[joint] for joint in joints]
        sums = [int(values[ids].sum()) for values in counts]
        rows.append((name, *(values[name] for values in by_column), *sums))
    means = [float(total(values)) for values in curves]
    return [*rows, ("Total", *means, *(int(values.sum()) for values in counts))]


def joint_rows(scores: Scores) -> list[tuple[Any, ...]]:
    """Rows of `HEADER` for the 15 joints."""
    return [
        (name, *(values[joint].item() for values in scores))
        for joint, name in enumerate(skeleton.JOINTS)
    ]
