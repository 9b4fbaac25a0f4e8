"""Scores the full model and the backbone on every validation sequence by itself."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from tips.config import BACKBONE, FULL, Study
from tips.evaluation.average_precision import resampled_totals
from tips.evaluation.matching import Evidence
from tips.evaluation.metrics import read_scored
from tips.evaluation.people import Floats
from tips.paths import Paths
from tips.tables.runs import Group, find

PAIR: Final = (BACKBONE, FULL)


class SequenceScore(NamedTuple):
    """One sequence: the scores of both networks on it alone, means over their seeds, percent."""

    name: str
    motion: str
    backbone: float
    full: float

    @property
    def difference(self) -> float:
        """What the full model has more, in points."""
        return self.full - self.backbone


def alone(evidence: Evidence) -> Floats:
    """Computes the score of each sequence alone, (sequences,), percent; NaN without people."""
    return resampled_totals(evidence, np.eye(len(evidence.names), dtype=np.int64))


def score_sequences(study: Study, paths: Paths) -> list[SequenceScore]:
    """Scores every sequence, the one with the full model's largest difference first.

    Sequences without annotated people are left out. The list is empty if one of the networks has
    no measured run.

    Args:
        study: the study.
        paths: its paths.

    Raises:
        RecordError: what was measured of a run is damaged.
    """
    runs = {name: _evidence(name, study, paths) for name in PAIR}
    if not all(runs.values()):
        return []
    first = runs[FULL][0]
    backbone, full = (np.mean([alone(one) for one in runs[name]], axis=0) for name in PAIR)
    scores = [
        SequenceScore(*row)
        for row in zip(first.names, first.strata, backbone.tolist(), full.tolist(), strict=True)
    ]
    known = [one for one in scores if np.isfinite(one.difference)]
    return sorted(known, key=lambda one: (-one.difference, one.name))


def _evidence(name: str, study: Study, paths: Paths) -> Sequence[Evidence]:
    if name not in study.variants:
        return []
    group = Group(name, study.scale.evaluation.boxes)
    files = find({group: study.variants[name].seeds}, paths, judge=None)
    return [
        read_scored(one.metrics, one.evidence).evidence for one in files if one.state == "present"
    ]
