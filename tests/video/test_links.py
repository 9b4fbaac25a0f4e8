import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.video.boxes import PersonBox
from tips.video.links import PATIENCE, Linker, overlap


def box(x: float, track: int | None = None) -> PersonBox:
    return PersonBox((x, 0.0, 10.0, 20.0), 1.0, track)


def test_overlap_by_hand() -> None:
    assert overlap((0, 0, 10, 20), (0, 0, 10, 20)) == 1
    assert overlap((0, 0, 10, 20), (5, 0, 10, 20)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 20), (10, 0, 10, 20)) == 0
    assert overlap((0, 0, 10, 20), (40, 40, 1, 1)) == 0


def test_people_keep_their_ids_whatever_the_order() -> None:
    link = Linker()
    assert link(0, [box(0), box(50)]) == [0, 1]
    assert link(1, [box(52), box(2)]) == [1, 0]
    assert link(2, [box(100), box(4), box(54)]) == [2, 0, 1]


def test_the_larger_overlap_wins_and_the_other_box_is_somebody_new() -> None:
    link = Linker()
    link(0, [box(0)])
    assert link(1, [box(4), box(1)]) == [1, 0]


def test_who_comes_back_in_time_is_known() -> None:
    for gap, same in ((PATIENCE, True), (PATIENCE + 1, False)):
        link = Linker()
        assert link(0, [box(0)]) == [0]
        assert (link(gap, [box(0)]) == [0]) is same


def test_given_ids_stay_and_new_ones_avoid_them() -> None:
    link = Linker()
    assert link(0, [box(0, 7), box(50)]) == [7, 0]
    assert link(1, [box(50, 1), box(0)]) == [1, 7]
    assert link(2, [box(200), box(300)]) == [2, 3]


people = st.lists(st.tuples(st.integers(0, 60), st.none() | st.integers(0, 3)), max_size=6)


@given(st.lists(people, max_size=8))
def test_ids_are_unique_within_a_frame(frames: list[list[tuple[int, int | None]]]) -> None:
    link = Linker()
    for number, frame in enumerate(frames):
        given_once: set[int] = set()
        boxes = []
        for x, track in frame:
            boxes.append(box(x, None if track in given_once else track))
            given_once |= {track} - {None}
        ids = link(number, boxes)
        assert len(set(ids)) == len(ids) == len(frame)
        assert all(b.track in (None, i) for b, i in zip(boxes, ids, strict=True))
