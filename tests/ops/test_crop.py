import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.ops.crop import box_affine, compose, crop, invert, mirror, to_map, transform

BOX = (10.0, 20.0, 30.0, 40.0)  # centre (25, 40)


def moved(affine: np.ndarray, *points: tuple[float, float]) -> list[list[float]]:
    return np.round(transform(np.array(points), affine), 9).tolist()


@pytest.mark.parametrize(
    ("size", "zoom"),
    [
        ((80, 60), 80 / 50),  # the box's own aspect: 40 x 1.25 = 50 rows fill 80
        ((64, 64), 64 / 50),  # the height decides
        ((80, 40), 80 / 75),  # narrow crop: 30 columns ask for 60 rows, x 1.25
        ((384, 288), 384 / 50),
    ],
)
def test_box_fills_the_crop_up_to_the_enlargement(size: tuple[int, int], zoom: float) -> None:
    height, width = size
    affine = box_affine(BOX, height, width)
    assert moved(affine, (25, 40)) == [[width / 2, height / 2]]
    assert affine[:, :2] == pytest.approx(np.eye(2) * zoom)
    corners = transform(np.array([(10.0, 20.0), (40.0, 60.0)]), affine)
    assert (corners >= 0).all()
    assert (corners <= (width, height)).all()


def test_hand_computed_corner() -> None:
    # 30 x 40 in 64 rows x 32 columns: side = max(40, 30 * 64 / 32) = 60, zoom 64 / 60.
    affine = box_affine(BOX, 64, 32, enlarge=1.0)
    assert moved(affine, (10, 20), (40, 60)) == [
        [0.0, pytest.approx(32 - 20 * 64 / 60)],
        [32.0, pytest.approx(32 + 20 * 64 / 60)],
    ]


def test_scale_shrinks_what_is_seen() -> None:
    plain, wide = box_affine(BOX, 64, 48), box_affine(BOX, 64, 48, scale=1.25)
    assert wide[:, :2] * 1.25 == pytest.approx(plain[:, :2])
    assert moved(wide, (25, 40)) == [[24.0, 32.0]]


def test_positive_rotation_turns_the_picture_clockwise() -> None:
    affine = box_affine((-1.0, -1.0, 2.0, 2.0), 64, 64, enlarge=1.0, rotation=90)
    # The point right of the centre comes to lie below it (y points down).
    assert moved(affine, (1, 0), (0, 1)) == [[32.0, 64.0], [0.0, 32.0]]
    picture = np.zeros((65, 65, 3), dtype=np.uint8)
    picture[30:35, 50:60] = 255  # a bar on the right
    turned = crop(picture, box_affine((0.0, 0.0, 64.0, 64.0), 64, 64, 1.0, rotation=90), 64, 64)
    assert turned[50:60, 30:35].mean() > 200
    assert turned[:45].max() == 0


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, 0), (0, 0, -1, 5)])
def test_a_box_without_area_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must have an area"):
        box_affine(box, 64, 64)


def test_mirror_reverses_columns_exactly() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
    identity = np.eye(3)[:2]
    assert np.array_equal(crop(picture, mirror(identity, 50), 40, 50), picture[:, ::-1])
    assert moved(mirror(identity, 50), (0, 3), (49, 3)) == [[49.0, 3.0], [0.0, 3.0]]


@given(
    st.floats(-180, 180),
    st.floats(0.65, 1.35),
    st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(5, 200)] * 2),
)
def test_invert_compose_and_mirror_undo_themselves(
    rotation: float, scale: float, box: tuple[float, float, float, float]
) -> None:
    affine = box_affine(box, 96, 64, rotation=rotation, scale=scale)
    points = np.array([[0.0, 0.0], [10.0, -3.0], [box[0], box[1]]])
    there = transform(points, affine)
    assert transform(there, invert(affine)) == pytest.approx(points, abs=1e-6)
    assert compose(invert(affine), affine) == pytest.approx(np.eye(3)[:2], abs=1e-6)
    assert mirror(mirror(affine, 64), 64) == pytest.approx(affine, abs=1e-9)


def test_compose_applies_the_inner_one_first() -> None:
    shift = np.array([[1.0, 0, 5], [0, 1, 0]])
    double = np.array([[2.0, 0, 0], [0, 2, 0]])
    assert moved(compose(double, shift), (1, 1)) == [[12.0, 2.0]]
    assert moved(compose(shift, double), (1, 1)) == [[7.0, 2.0]]


def test_map_px_are_crop_px_over_the_stride() -> None:
    affine = box_affine(BOX, 64, 64, rotation=30)
    points = np.array([[12.0, 33.0], [np.nan, np.nan]])
    on_map = transform(points, to_map(affine, 4))
    assert on_map[0] == pytest.approx(transform(points, affine)[0] / 4)
    assert np.isnan(on_map[1]).all()


def test_outside_the_picture_is_black() -> None:
    white = np.full((20, 20, 3), 255, dtype=np.uint8)
    cut = crop(white, np.array([[1.0, 0, 10], [0, 1, 10]]), 40, 40)
    assert cut.shape == (40, 40, 3)
    assert cut[10:30, 10:30].min() == 255
    assert cut[:9].max() == 0
    assert cut[:, 31:].max() == 0
