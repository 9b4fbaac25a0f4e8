import json

import numpy as np
import pytest

from tips import skeleton
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.poseval_reader import read_folders
from tips.evaluation.poseval_side import NO_SCORE
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


def test_17_plain_numbers_where_poseval_does_not_look(read):
    person = person_17([(0, 1, 2, {})], score=0.25, track_id=4)
    frame = frame_17(person, is_labeled=True)
    (found,) = read(annolist(frame), annolist(frame)).found
    assert (found.people.tolist(), found.tracks) == ([0.25], (4,))


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


def test_18_needs_no_track_and_ignores_further_names(read):
    person = full_18(keypoints=[10, 20, 1] * 18, track_id=None)
    names = [*skeleton.SLOTS_17, "tail"]
    found = file_18([person] * 2, names)
    del found["annotations"][0]["track_id"]
    clip = read(file_18([person], names), found)
    assert clip.found[0].tracks == (-1, -1)
    assert clip.truth[0].joints.shape == (1, 15, 2)


def test_tracks_of_the_truth_may_repeat(read):
    person = person_17([(0, 1, 2, {})])
    clip = read(annolist(frame_17(person, person)), annolist(frame_17(person)))
    assert clip.truth[0].tracks == (3, 3)


def test_of_a_joint_predicted_twice_the_truths_regions_choose(read):
    square = {"point": [{"x": [x], "y": [y]} for x, y in ((0, 0), (10, 0), (10, 10), (0, 10))]}
    truth = frame_17(person_17([(0, 50, 50, {})]), ignore_regions=[square])
    rows = [(0, 5, 5, {"score": [0.9]}), (0, 50, 50, {"score": [0.2]}), (0, 70, 70, {})]
    (found,) = read(annolist(truth), annolist(frame_17(person_17(rows)))).found
    assert found.joints[0, 0].tolist() == [50, 50]
    assert found.scores[0, 0] == 0.2


def test_a_joint_that_is_listed_twice_in_a_region_is_gone(read):
    square = {"point": [{"x": [x], "y": [y]} for x, y in ((0, 0), (10, 0), (10, 10), (0, 10))]}
    twice = person_17([(0, 5, 5, {}), (0, 6, 6, {}), (1, 50, 50, {})])
    frame = frame_17(twice, ignore_regions=[square])
    assert match([read(annolist(frame), annolist(frame))]).joint.tolist() == [1]


def test_a_head_is_needed_only_where_a_distance_is_measured(read):
    headless = without(person_17([(0, 5, 5, {})]), "x1")
    square = {"point": [{"x": [x], "y": [y]} for x, y in ((0, 0), (10, 0), (10, 10), (0, 10))]}
    some = annolist(frame_17(person_17([(0, 50, 50, {})])))
    assert read(annolist(frame_17(headless)), annolist(frame_17())).truth
    assert read(annolist(frame_17(headless, ignore_regions=[square])), some).truth
    with pytest.raises(RecordError, match=r"annolist\[0\]: person 0 has joints but no head"):
        read(annolist(frame_17(headless)), some)


def test_regions_of_frames_that_do_not_count_are_not_looked_at(read):
    frame = frame_17(ignore_regions=[TWO_POINTS])
    assert read(annolist(frame), annolist(frame)).positions == ()
    zero = file_18([full_18()], ignore_regions_x=[[]], ignore_regions_y=[[]])
    assert [len(ring) for ring in read(zero, zero).truth[0].ignore] == [0]


def test_kit21_counts_labelled_frames(read, tmp_path):
    truth = file_18([full_18()], frames=3, **NO_REGIONS)
    truth["images"][0]["is_labeled"] = False
    truth["images"][1]["is_labeled"] = truth["images"][2]["is_labeled"] = True
    read(truth, file_18([full_18(image_id=8)], frames=3))
    (clip,) = read_folders(tmp_path / "gt", tmp_path / "pred", "kit21")
    assert clip.positions == (1, 2)
    assert [len(frame.joints) for frame in clip.found] == [1, 0]
    scores = average_precision(match([clip], rule="kit21"))
    assert scores.ap.tolist() == scores.recall.tolist() == [0] * 15
    assert scores.n_found.tolist() == [1] * 15
    old = annolist(frame_17(person_17([(0, 1, 2, {})]), is_labeled=[1]), frame_17(is_labeled=[0]))
    read(old, old)
    (clip,) = read_folders(tmp_path / "gt", tmp_path / "pred", "kit21")
    assert clip.positions == (0,)


def test_files_pair_in_the_order_of_their_names(tmp_path):
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        for name in ("b.json", "a_1.json", "a-1.json", "a.json", "._a.json"):
            (tmp_path / side / name).write_text(json.dumps(GOOD) if name[1] != "_" else "x")
    (tmp_path / "gt/a_1.json").write_text(json.dumps(GOOD))
    (tmp_path / "pred/a_1.json").write_text(json.dumps(GOOD))
    names = [clip.name for clip in read_folders(tmp_path / "gt", tmp_path / "pred")]
    assert names == ["a-1", "a", "a_1", "b"]
    (clip,) = read_folders(tmp_path / "gt/b.json", tmp_path / "pred/a.json")
    assert clip.name == "b"


def test_18_predictions_may_come_in_17_form(read):
    found = person_17([(j, 10, 20, {"score": [0.5]}) for j in range(15)])
    clip = read(file_18([full_18()]), annolist(frame_17(found)))
    assert (average_precision(match([clip])).ap == 100).all()


def without(data, key):
    return {k: v for k, v in data.items() if k != key}


GOOD = file_18([full_18()])
TWO_POINTS = {"point": [{"x": [0], "y": [0]}] * 2}
NO_REGIONS = {"ignore_regions_x": [], "ignore_regions_y": []}
ONE = person_17([(0, 1, 2, {})])
TWO_VIDEOS = file_18([full_18()], frames=2)
TWO_VIDEOS["images"][1]["file_name"] = "images/val/000002_bonn_test/000000.jpg"
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([], "holds a list"),
        (without(GOOD, "categories"), "a.json: the file: no 'categories'"),
        (without(GOOD, "images"), "a.json: the file: no 'images'"),
        (GOOD | {"annotations": {}}, "annotations must be a list; got {}"),
        (GOOD | {"images": []}, "images: no frame"),
        (GOOD | {"images": [{"id": 7}]}, r"images\[0\]: no 'file_name'"),
        (GOOD | {"images": [3]}, r"images\[0\]: malformed"),
        (file_18([full_18()], skeleton.SLOTS_17[1:]), r"keypoints: no nose; all 15 joints"),
        (file_18([full_18()], (*skeleton.JOINTS, "nose")), "nose is listed twice"),
        (GOOD | {"categories": []}, "exactly one is needed, named person"),
        (file_18([full_18(keypoints=[1, 2, 3])]), r"annotations\[0\]: keypoints need 51"),
        (file_18([full_18(image_id=99)]), r"annotations\[0\]: no image has id 99"),
        (file_18([without(full_18(), "keypoints")]), r"annotations\[0\]: no 'keypoints'"),
        (file_18([full_18(keypoints=None)]), r"annotations\[0\]: malformed \(keypoints must be"),
        (file_18([full_18(x="10")]), r"annotations\[0\]: '10' where a number belongs"),
        (file_18([full_18(x=None)]), r"annotations\[0\]: None where a number belongs"),
        (file_18([full_18(x=10**400)]), r"annotations\[0\]: malformed"),
        (file_18([full_18(bbox_head=[1, 2])]), r"annotations\[0\]: a rectangle has 4 numbers"),
        (GOOD | {"images": GOOD["images"] * 2}, r"images\[1\]: id 7 occurs twice"),
        (TWO_VIDEOS, r"images\[1\]: images/val/000002.* is another video than images/val/000001"),
        (file_18([full_18(x=NAN)]), r"annotations\[0\]: NaN, infinity .* truth's joint"),
        (file_18([full_18(), full_18(y=INF)]), r"annotations\[1\]: NaN, infinity"),
        (file_18([full_18(bbox_head=[1, NAN, 3, 4])]), r"annotations\[0\]: .*bbox_head"),
        (file_18([full_18(bbox=[1, INF, 3, 4])]), r"annotations\[0\]: .*bbox"),
        (
            file_18([full_18()], ignore_regions_x=[[1, 2]], ignore_regions_y=[[1, 2]]),
            r"images\[0\]: an ignore region needs at least 3 finite points; got 2",
        ),
        (
            file_18([full_18()], ignore_regions_x=[[1, NAN, 2]], ignore_regions_y=[[1, 2, 3]]),
            r"images\[0\]: an ignore region needs at least 3 finite points",
        ),
        (file_18([without(full_18(), "bbox_head")]), r"images\[0\]: person 0 has joints but no"),
        (annolist({"image": []}), r"annolist\[0\]: no 'annorect'"),
        ({"annolist": {}}, "annolist must be a list"),
        (annolist({"annorect": {}}), r"annolist\[0\]: malformed \(annorect must be a list"),
        (annolist(frame_17(person_17([(0, "a", 2, {})]))), r"annorect\[0\]: 'a' where a number"),
        (annolist(frame_17(person_17([(0, None, 2, {})]))), r"annorect\[0\]: None where"),
        (annolist(frame_17(ONE, person_17([(0, INF, 2, {})]))), r"annorect\[1\]: NaN, inf"),
        (annolist(frame_17(ONE | {"y2": [NAN]})), r"\[0\].annorect\[0\]: NaN, .* bbox_head"),
        (annolist(frame_17(ONE | {"annopoints": [{"point": {}}]})), "point must be a list"),
        (annolist(frame_17(without(ONE, "y2"))), r"annolist\[0\].annorect\[0\]: no 'y2'"),
        (annolist(frame_17(ONE, ignore_regions=[TWO_POINTS])), r"annolist\[0\]: an ignore region"),
    ],
)
def test_refuses_naming_file_and_record(read, truth, message):
    with pytest.raises(RecordError, match=message) as caught:
        read(truth, GOOD)
    assert "gt/a.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (without(GOOD, "categories"), "a.json: the file: no 'categories'"),
        (
            file_18([full_18(), full_18()]),
            r"annotations\[1\]: track_id 0 occurs twice in images\[0\]",
        ),
        (
            annolist(frame_17(ONE, ONE)),
            r"annolist\[0\].annorect\[1\]: track_id 3 occurs twice in annolist\[0\]",
        ),
        (annolist(frame_17(ONE | {"track_id": ["x"]})), r"annorect\[0\]: 'x' where a number"),
        (file_18([full_18(scores=[0.5] * 3)]), r"annotations\[0\]: malformed"),
        (file_18([full_18(scores=[None] * 17)]), r"annotations\[0\]: None where a number"),
        (annolist(frame_17(person_17([(0, 1, 2, {"score": []})]))), r"annorect\[0\]: malformed"),
        (TWO_VIDEOS, r"images\[1\]: .* is another video"),
    ],
)
def test_refuses_predictions_naming_file_and_record(read, found, message):
    with pytest.raises(RecordError, match=message) as caught:
        read(file_18([full_18()], frames=len(found.get("images", [0]))), found)
    assert "pred/a.json" in str(caught.value)


def test_ids_of_predictions_are_checked_in_frames_that_do_not_count_too(read):
    with pytest.raises(RecordError, match="track_id 3 occurs twice"):
        read(annolist(frame_17()), annolist(frame_17(ONE, ONE)))


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (file_18([full_18()], **NO_REGIONS), r"images\[0\]: no is_labeled"),
        (file_18([full_18()], is_labeled=True), r"images\[0\]: no ignore_regions_x and"),
        (
            file_18([without(full_18(), "bbox_head")], is_labeled=True, **NO_REGIONS),
            r"annotations\[0\]: no head rectangle",
        ),
    ],
)
def test_kit21_reads_what_poseval_does_not(read, tmp_path, truth, message):
    read(truth, file_18([]))
    with pytest.raises(RecordError, match=message):
        read_folders(tmp_path / "gt", tmp_path / "pred", "kit21")


def test_refuses_what_does_not_pair(read, tmp_path):
    truth, found = tmp_path / "gt", tmp_path / "pred"
    with pytest.raises(RecordError, match=r"2 frames where .* has 1"):
        read(GOOD, file_18([], frames=2))
    (found / "b.json").write_text("{}")
    with pytest.raises(RecordError, match=r"gt/b.json: no such file, the partner of .*pred/b.json"):
        read_folders(truth, found)
    (found / "b.json").unlink()
    (found / "a.json").unlink()
    with pytest.raises(RecordError, match=r"pred/a.json: no such file, the partner of .*gt/a.json"):
        read_folders(truth, found)
    with pytest.raises(RecordError, match=r"pred: no \*.json here"):
        read_folders(found, found)
    with pytest.raises(RecordError, match="nowhere: no such file or folder"):
        read_folders(truth, tmp_path / "nowhere")
    with pytest.raises(RecordError, match="one is a folder, the other a file"):
        read_folders(truth / "a.json", found)


def test_refuses_what_is_no_json(read, tmp_path):
    read(GOOD, GOOD)
    text = (tmp_path / "pred/a.json").read_text()
    (tmp_path / "pred/a.json").write_text(text[: len(text) // 2])
    with pytest.raises(RecordError, match=r"pred/a.json: not JSON at line 1"):
        read_folders(tmp_path / "gt", tmp_path / "pred")
    (tmp_path / "pred/a.json").unlink()
    (tmp_path / "pred/a.json").mkdir()
    with pytest.raises(RecordError, match=r"pred/a.json: a folder"):
        read_folders(tmp_path / "gt", tmp_path / "pred")
