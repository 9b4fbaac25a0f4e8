import json

import numpy as np
import pytest

from tips import skeleton
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.poseval_reader import NO_SCORE, read_folders
from tips.records import RecordError


def person_17(points, **more):
    listed = [{"id": [j], "x": [x], "y": [y]} | extra for j, x, y, extra in points]
    head = {"x1": [0], "y1": [0], "x2": [30], "y2": [40]}
    return head | {"track_id": [3], "annopoints": [{"point": listed}]} | more


def frame_17(*people, **more):
    return {"image": [{"name": "images/bonn/a/00000001.jpg"}], "annorect": list(people)} | more


def file_18(people, names=skeleton.SLOTS_17, frames=1, **image):
    images = [
        {"id": 7 + f, "file_name": f"images/val/000001_bonn_test/{f:06d}.jpg"} | image
        for f in range(frames)
    ]
    return {
        "images": images,
        "annotations": [{"image_id": 7, "track_id": 0} | person for person in people],
        "categories": [{"name": "person", "keypoints": list(names)}],
    }


def full_18(x=10.0, y=20.0, v=1, **more):
    return {"keypoints": [x, y, v] * 17, "bbox_head": [1, 2, 30, 40], "bbox": [0, 0, 5, 6]} | more


@pytest.fixture
def read(tmp_path):
    def run(truth, found):
        for folder, data in (("gt", truth), ("pred", found)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / "a.json").write_text(json.dumps(data))
        (clip,) = read_folders(tmp_path / "gt", tmp_path / "pred")
        return clip

    return run


def annolist(*frames):
    return {"annolist": list(frames)}


def test_17_people_points_and_scores(read):
    truth = person_17([(0, 1, 2, {}), (12, 3.5, 4, {}), (77, 0, 0, {}), (0, 9, 9, {})])
    found = person_17([(0, 1, 2, {"score": [0.25]}), (1, float("nan"), 2, {})], score=[0.75])
    clip = read(annolist(frame_17(truth)), annolist(frame_17(found)))
    (annotated,), (predicted,) = clip.truth, clip.found
    assert annotated.joints[0, 0].tolist() == [1, 2]
    assert np.isfinite(annotated.joints[0, :, 0]).sum() == 2
    assert annotated.heads.tolist() == [pytest.approx(30)]
    assert annotated.tracks == (3,)
    assert predicted.scores[0, :2].tolist() == [0.25, NO_SCORE]
    assert np.isinf(predicted.joints[0, 1]).all()
    assert predicted.people.tolist() == [0.75]


def test_17_frames_count_by_their_people_list(read):
    empty = {"track_id": [0], "annopoints": []}
    truth = annolist(frame_17(), frame_17(empty), frame_17(person_17([(0, 1, 2, {})])))
    some = frame_17(person_17([(0, 1, 2, {})]))
    clip = read(truth, annolist(some, some, some))
    assert clip.positions == (1, 2)
    assert np.isnan(clip.truth[0].joints).all()
    assert match([clip]).hit.tolist() == [False, True]


def test_17_of_a_joint_listed_twice_the_first_outside_ignores_counts(read):
    square = {"point": [{"x": [x], "y": [y]} for x, y in ((0, 0), (10, 0), (10, 10), (0, 10))]}
    twice = person_17([(0, 5, 5, {}), (0, 50, 50, {}), (0, 60, 60, {})])
    truth = frame_17(twice, ignore_regions=[square])
    clip = read(annolist(truth), annolist(frame_17()))
    assert clip.truth[0].joints[0, 0].tolist() == [50, 50]


def test_17_needs_no_track(read):
    person = person_17([(0, 1, 2, {})])
    del person["track_id"]
    assert read(annolist(frame_17(person)), annolist(frame_17(person))).found[0].tracks == (-1,)


def test_18_absent_means_all_three_zero(read):
    keypoints = [0, 0, 0, 0, 0, 1, 5, 0, 0] + [4, 4, 1] * 14
    data = file_18([full_18(keypoints=keypoints)])
    clip = read(data, data)
    joints = clip.truth[0].joints[0]
    assert np.isnan(joints[skeleton.INDEX["nose"]]).all()
    assert joints[skeleton.INDEX["head_bottom"]].tolist() == [0, 0]
    assert joints[skeleton.INDEX["head_top"]].tolist() == [5, 0]
    assert clip.truth[0].boxes.tolist() == [[0, 0, 5, 6]]


def test_18_scores_follow_the_files_own_names(read):
    names = tuple(reversed(skeleton.SLOTS_17))
    scores = [i / 100 for i in range(17)]
    clip = read(file_18([full_18()]), file_18([full_18(scores=scores, score=0.5)], names=names))
    assert clip.found[0].scores[0, skeleton.INDEX["nose"]] == 0.16
    assert clip.found[0].people.tolist() == [0.5]
    for none in ({}, {"scores": []}):
        found = read(file_18([full_18()]), file_18([full_18(**none)])).found[0]
        assert (found.scores == NO_SCORE).all()


def test_18_first_video_only(read):
    data = file_18([full_18()], frames=2)
    data["images"][1]["file_name"] = "images/val/000002_bonn_test/000000.jpg"
    data["annotations"].append(full_18(image_id=8))
    assert read(data, data).positions == (0,)


def test_18_predictions_may_come_in_17_form(read):
    found = person_17([(j, 10, 20, {"score": [0.5]}) for j in range(15)])
    clip = read(file_18([full_18()]), annolist(frame_17(found)))
    assert (average_precision(match([clip])).ap == 100).all()


def without(data, key):
    return {k: v for k, v in data.items() if k != key}


GOOD = file_18([full_18()])
HEADLESS = file_18([without(full_18(), "bbox_head")])
TWO_POINTS = {"point": [{"x": [0], "y": [0]}] * 2}


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([], "holds a list"),
        (without(GOOD, "categories"), "a.json: the file: no 'categories'"),
        (file_18([full_18()], names=skeleton.SLOTS_17[1:]), "got 16, missing .'nose'"),
        (GOOD | {"categories": []}, "exactly one, named person"),
        (file_18([full_18(keypoints=[1, 2, 3])]), r"annotations\[0\]: keypoints need 51"),
        (file_18([full_18(image_id=99)]), r"annotations\[0\]: no image has id 99"),
        (file_18([without(full_18(), "keypoints")]), r"annotations\[0\]: no 'keypoints'"),
        (GOOD | {"images": GOOD["images"] * 2}, r"images\[1\]: id 7 repeats"),
        (file_18([full_18(x=float("nan"))]), "frame 0: joint coordinates must be finite"),
        (HEADLESS, "frame 0: person 0 has joints but no head rectangle"),
        (
            file_18([full_18()], ignore_regions_x=[[1, 2]], ignore_regions_y=[[1, 2]]),
            r"images\[0\]: an ignore region needs at least 3",
        ),
        (annolist({"image": []}), r"annolist\[0\]: no 'annorect'"),
        (annolist(frame_17(person_17([(0, "a", 2, {})]))), r"annolist\[0\]: malformed"),
        (annolist(frame_17(ignore_regions=[TWO_POINTS])), r"annolist\[0\]: an ignore region"),
    ],
)
def test_refuses_naming_file_and_record(read, truth, message):
    with pytest.raises(RecordError, match=message) as caught:
        read(truth, GOOD)
    assert "a.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_what_does_not_pair(read, tmp_path):
    with pytest.raises(RecordError, match=r"2 frames where .* has 1"):
        read(GOOD, file_18([], frames=2))
    (tmp_path / "pred/a.json").unlink()
    with pytest.raises(RecordError, match=r"pred/a.json: no such file"):
        read_folders(tmp_path / "gt", tmp_path / "pred")
    with pytest.raises(RecordError, match=r"no \*.json here"):
        read_folders(tmp_path / "nowhere", tmp_path / "pred")
