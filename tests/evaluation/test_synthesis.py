import numpy as np
import pytest

from tips import records
from tips.evaluation.synthesis import (
    SOURCES,
    InBetween,
    PersonScale,
    crop_height,
    in_between_errors,
    person_scales,
    speed_quartiles,
    synthesis_table,
)
from tips.evaluation.true_motion import TrueMotion, TruePerson
from tips.records import RecordError

SCALES = {("a", 7): {1: PersonScale(192.0, 10.0)}}  # half a map px per image px


def motion(scenes, frames=4, step=4.0, bow=3.0):
    """Everybody walks `step` px to the right a frame, and bows down half-way."""
    joints = np.stack([np.add(scenes.GRID, (step * f, 0)) for f in range(frames)])
    between = {
        s: joints[:-1] + np.array([s * step, bow * 4 * s * (1 - s)]) for s in (0.25, 0.5, 0.75)
    }
    person = TruePerson(joints, between, np.ones((frames, 15), dtype=bool))
    return {"a": TrueMotion({7: person}, np.zeros(frames, dtype=bool))}


def predicted(*between):
    sequence = records.SequencePredictions(name="a", frames=(), between=between)
    return records.Predictions(variant="v", seed=0, boxes="gt", sequences=(sequence,))


def points(array):
    return tuple(map(tuple, np.asarray(array).tolist()))


def item(scenes, shift=(0.0, 1.0), left=1, time=0.5, padded=False, track=7, rough=True):
    truth = motion(scenes)["a"].people[7]
    at = left if 0 <= left < 3 else 0
    ends = (points(truth.joints[at] + (0, 2)), points(truth.joints[at + 1] + (0, 2)))
    middle = truth.between.get(time, truth.between[0.5])[at] + np.asarray(shift)
    direct = points(truth.between[0.5][at] + (3.0, 0.0)) if rough else ()
    return records.Between(
        track=track,
        left=left,
        time=time,
        joints=points(middle),
        ends=ends,
        rough=direct,
        padded=padded,
    )


@pytest.mark.parametrize(("time", "bow"), [(0.25, 2.25), (0.5, 3.0), (0.75, 2.25)])
def test_errors_of_the_sources(scenes, time, bow):
    samples = in_between_errors(predicted(item(scenes, time=time)), motion(scenes), SCALES)
    # Synthesized: 1 px off. Rough: 3 px, halfway only. Between predicted: 2 px below the line.
    # Between true: on the line.
    rough = 3.0 if time == 0.5 else np.nan
    expected = np.tile([1.0, rough, bow - 2, bow], (15, 1))
    np.testing.assert_allclose(samples.error, expected / 2)
    np.testing.assert_allclose(samples.in_heads, expected / 10)
    np.testing.assert_allclose(samples.speed, 2.0)


def test_without_an_interim_frame_nothing_is_read_from_it(scenes):
    samples = in_between_errors(predicted(item(scenes, rough=False)), motion(scenes), SCALES)
    rows = {row.source: row for row in synthesis_table(samples) if not row.quartile}
    assert np.isnan(rows["rough frame read directly"].error)
    assert np.isnan(rows["rough frame read directly"].pckh)
    assert not np.isnan([rows[name].pckh for name in rows if name.startswith("line")]).any()


def test_padded_intervals_and_absent_joints_are_left_out(scenes):
    truth = motion(scenes)
    truth["a"].people[7].between[0.5][1, 3] = np.nan
    truth["a"].people[7].joints[2, 4] = np.nan
    found = predicted(item(scenes), item(scenes, padded=True))
    assert len(in_between_errors(found, truth, SCALES).speed) == 13
    nothing = in_between_errors(predicted(item(scenes, padded=True)), truth, SCALES)
    assert nothing.error.shape == (0, len(SOURCES))
    assert {row.n for row in synthesis_table(nothing)} == {0}
    assert np.isnan(synthesis_table(nothing)[0].error)


def test_sizes_are_those_of_the_nearest_labelled_frame(scenes):
    sizes = {("a", 7): {0: PersonScale(96.0, 1.0), 2: PersonScale(192.0, 10.0)}}
    near = in_between_errors(predicted(item(scenes, left=1)), motion(scenes), sizes)
    assert near.error[0, 0] == pytest.approx(0.5)
    first = in_between_errors(predicted(item(scenes, left=0)), motion(scenes), sizes)
    assert first.error[0, 0] == pytest.approx(1.0)


def test_table_by_quartile_of_true_speed():
    speed = np.arange(1.0, 9.0)
    error = np.stack([speed, 2 * speed, 3 * speed, 4 * speed], axis=1)
    table = synthesis_table(InBetween(speed, error, error / 8))
    assert [(r.source, r.quartile) for r in table] == [(s, q) for s in SOURCES for q in range(5)]
    assert [r.n for r in table[:5]] == [8, 2, 2, 2, 2]
    assert [r.error for r in table[:5]] == [4.5, 1.5, 3.5, 5.5, 7.5]
    assert [r.pckh for r in table[:5]] == [50, 100, 100, 0, 0]
    assert table[5].error == 9
    shared = synthesis_table(InBetween(speed, error, error), np.array([1.0, 1.5, 2.0]))
    assert [r.n for r in shared[1:5]] == [1, 0, 1, 6]
    assert speed_quartiles(InBetween(speed, error, error)).tolist() == [2.75, 4.5, 6.25]


def test_crop_height_grows_the_short_side():
    assert crop_height((0, 0, 40, 80)) == 100
    assert crop_height((0, 0, 80, 40)) == 100
    assert crop_height((0, 0, 90, 80), aspect=0.75) == 150


def test_person_scales_come_from_labelled_frames(scenes):
    annotations, _ = scenes.random_records(np.random.default_rng(0))
    scales = person_scales(annotations, lambda box: box[3])
    assert sorted(scales[("000001_mpii_test", 1)]) == [0, 2, 3]
    size = scales[("000001_mpii_test", 1)][0]
    assert size.crop_height == 200
    assert size.head == pytest.approx(0.6 * np.hypot(21.3, 45.1))


@pytest.mark.parametrize(
    ("change", "sizes", "message"),
    [
        ({"track": 8}, SCALES, "a, track 8, interval 1: no true motion"),
        ({"left": 3}, SCALES, "intervals 0 to 2"),
        ({"time": 0.4}, SCALES, r"no true joints at s = 0.4; rendered are \[0.25, 0.5, 0.75\]"),
        ({}, {}, "labelled in no frame"),
        ({}, {("a", 7): {0: PersonScale(10.0, float("nan"))}}, "must have a positive size"),
    ],
)
def test_refuses_what_it_cannot_compare(scenes, change, sizes, message):
    with pytest.raises(RecordError, match=message):
        in_between_errors(predicted(item(scenes, **change)), motion(scenes), sizes)
