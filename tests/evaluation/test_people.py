import numpy as np
import pytest

from tips import records
from tips.evaluation.people import box_head_size, from_records, head_sizes, lengths
from tips.records import RecordError


@pytest.fixture
def split(scenes):
    return scenes.random_records(np.random.default_rng(0))


def test_head_size_is_06_of_the_diagonal():
    assert head_sizes(np.array([[0.0, 0, 30, 40]])) == pytest.approx(30)
    assert head_sizes(np.array([10.0, 0, 40, 40]), 1.0) == pytest.approx(50)
    assert box_head_size((10, 10, 30, 40)) == pytest.approx(30)


def test_lengths_are_those_of_norm_to_the_last_bit():
    vectors = np.random.default_rng(0).normal(0, 50, (2000, 2))
    assert lengths(vectors).tolist() == [np.linalg.norm(vector) for vector in vectors]


def test_kit21_counts_every_labelled_frame(split):
    clips = from_records(*split, rule="kit21")
    assert [clip.positions for clip in clips] == [(0, 2, 3), (0, 2, 3), (0, 2, 3)]
    assert clips[0].truth[2].joints.shape == (0, 15, 2)


def test_counts_labelled_frames_with_people(split):
    annotations, predictions = split
    clips = from_records(annotations, predictions)
    assert [clip.name for clip in clips] == [s.name for s in annotations.sequences]
    assert [clip.stratum for clip in clips] == ["m0", "m1", "m0"]
    assert [clip.positions for clip in clips] == [(0, 2), (0, 2, 3), (0, 2, 3)]
    assert [len(frame.ignore) for frame in clips[1].truth] == [0, 1, 0]
    assert clips[1].truth[0].joints.shape == (2, 15, 2)
    assert clips[1].truth[0].tracks == (0, 1)


def test_missing_sequences_have_no_predicted_people(split):
    clips = from_records(*split)
    assert all(frame.joints.shape == (0, 15, 2) for frame in clips[1].found)
    assert all(frame.scores.shape == (0, 15) for frame in clips[1].found)
    assert any(len(frame.joints) for frame in clips[0].found)


def test_clips_are_sorted_by_name(split):
    annotations, predictions = split
    turned = annotations.model_copy(update={"sequences": annotations.sequences[::-1]})
    names = [clip.name for clip in from_records(turned, predictions)]
    assert names == sorted(names)


def test_a_frame_may_have_no_predictions(split):
    annotations, predictions = split
    empty = records.FramePoses(frame=0, poses=())
    only = records.SequencePredictions(name=annotations.sequences[0].name, frames=(empty,))
    found = from_records(annotations, predictions.model_copy(update={"sequences": (only,)}))
    assert found[0].found[0].joints.shape == (0, 15, 2)


def test_an_absent_joint_is_no_prediction(split):
    annotations, predictions = split
    pose = records.Pose(track=0, score=1, joints=(None, *[(3.0, 4.0)] * 14), scores=(0.5,) * 15)
    only = records.SequencePredictions(
        name=annotations.sequences[0].name, frames=(records.FramePoses(frame=0, poses=(pose,)),)
    )
    found = from_records(annotations, predictions.model_copy(update={"sequences": (only,)}))
    assert np.isnan(found[0].found[0].joints[0, 0]).all()
    assert found[0].found[0].joints[0, 1:].tolist() == [[3, 4]] * 14


def test_a_prediction_without_numbers_exists(split):
    annotations, predictions = split
    pose = records.Pose(track=0, score=1, joints=((np.nan, 1.0),) * 15, scores=(0.5,) * 15)
    only = records.SequencePredictions(
        name=annotations.sequences[0].name, frames=(records.FramePoses(frame=0, poses=(pose,)),)
    )
    clips = from_records(annotations, predictions.model_copy(update={"sequences": (only,)}))
    assert np.isinf(clips[0].found[0].joints).all()


def refused(annotations, predictions, message):
    with pytest.raises(RecordError, match=message):
        from_records(annotations, predictions)


def test_refuses_what_does_not_belong(split):
    annotations, predictions = split
    first = predictions.sequences[0]

    def with_sequences(*items):
        return predictions.model_copy(update={"sequences": items})

    unknown = first.model_copy(update={"name": "x"})
    refused(annotations, with_sequences(unknown), "sequence x is not in d val")
    refused(annotations, with_sequences(first, first), "000000_mpii_test is listed twice")
    late = first.model_copy(update={"frames": (records.FramePoses(frame=9, poses=()),)})
    refused(annotations, with_sequences(late), "frames 0 to 3; got frame 9")
    twice = first.model_copy(update={"frames": (first.frames[0], first.frames[0])})
    refused(annotations, with_sequences(twice), "is listed twice")
    pose = records.Pose(track=0, score=1, joints=((0.0, 0.0),) * 3, scores=(0.5,) * 15)
    short = records.FramePoses(frame=0, poses=(pose,))
    few = first.model_copy(update={"frames": (short,)})
    refused(annotations, with_sequences(few), "pose 0 needs 15 joints and scores; got 3 and 15")
    again = annotations.model_copy(update={"sequences": annotations.sequences[:1] * 2})
    refused(again, predictions, "names repeat")


def changed(annotations, **update):
    sequence = annotations.sequences[0]
    frame = sequence.frames[0].model_copy(update=update)
    sequence = sequence.model_copy(update={"frames": (frame, *sequence.frames[1:])})
    return annotations.model_copy(update={"sequences": (sequence, *annotations.sequences[1:])})


def test_refuses_joints_without_head(split):
    annotations, predictions = split
    person = annotations.sequences[0].frames[0].people[0]
    headless = person.model_copy(update={"head": None})
    refused(
        changed(annotations, people=(person, headless)),
        predictions,
        "000000_mpii_test, frame 0: person 1 has joints but no head rectangle",
    )
    empty = headless.model_copy(update={"joints": (None,) * 15})
    clips = from_records(changed(annotations, people=(person, empty)), predictions)
    assert np.isnan(clips[0].truth[0].heads[1])


def test_refuses_a_polygon_of_two_points(split):
    annotations, predictions = split
    flat = changed(annotations, ignore=(((0.0, 0.0), (1.0, 1.0)),))
    refused(flat, predictions, "frame 0: an ignore region needs at least 3")
    from_records(changed(annotations, ignore=((),)), predictions)
