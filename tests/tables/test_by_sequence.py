from pathlib import Path

import fake_study
import numpy as np
import pytest

from tips.config import load_study
from tips.evaluation.average_precision import average_precision, total
from tips.evaluation.matching import match
from tips.evaluation.people import from_records
from tips.records import Annotations, Predictions, read
from tips.tables.by_sequence import alone, score_sequences


def test_a_sequence_scores_as_if_no_other_existed(tmp_path: Path) -> None:
    with fake_study.inside(tmp_path, measured=True) as paths:
        annotations = read(Annotations, paths.annotations("val"))
        found = read(Predictions, paths.predictions("tips", "0", "gt"))
        clips = from_records(annotations, found)
        each = alone(match(clips))
        for place in (0, 7, len(clips) - 1):
            single = total(average_precision(match(clips[place : place + 1])).ap)
            assert each[place] == pytest.approx(float(single), abs=1e-9)


def test_the_order_is_that_of_the_difference_and_means_are_over_seeds(tmp_path: Path) -> None:
    with fake_study.inside(tmp_path, measured=True) as paths:
        study = load_study(fake_study.SCALE, Path("experiments"))
        scores = score_sequences(study, paths)
        assert len(scores) == fake_study.SEQUENCES
        differences = [one.difference for one in scores]
        assert differences == sorted(differences, reverse=True)
        annotations = read(Annotations, paths.annotations("val"))
        seeds = [
            alone(
                match(
                    from_records(
                        annotations, read(Predictions, paths.predictions("tips", str(seed), "gt"))
                    )
                )
            )
            for seed in range(fake_study.SEEDS["tips"])
        ]
        names = [sequence.name for sequence in annotations.sequences]
        mean = dict(zip(names, np.mean(seeds, axis=0), strict=True))
        assert {one.name: one.full for one in scores} == pytest.approx(mean)
        paths.metrics("hrnet", "0", "gt").unlink()
        assert score_sequences(study, paths) == []
