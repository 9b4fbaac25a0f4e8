import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tips.evaluation.ignore import inside, inside_pairs

SQUARE = np.array([(90.0, 90.0), (160.0, 90.0), (160.0, 170.0), (90.0, 170.0)])


def test_edges_and_corners_are_outside():
    on_edge = np.array([(90.0, 90.0), (120.0, 90.0), (160.0, 130.0), (np.nan, 100.0)])
    assert not inside(on_edge, [SQUARE]).any()
    assert inside(np.array([(90.0001, 90.0001)]), [SQUARE]).all()
    assert not inside(on_edge, [np.empty((0, 2))]).any()


def test_a_ring_that_crosses_itself_is_filled_even_odd():
    angles = np.pi / 2 + np.arange(5) * 4 * np.pi / 5  # pentagram
    star = 100 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert not inside(np.array([0.0, 0.0]), [star])
    assert inside(np.array([0.0, 60.0]), [star])


coordinates = st.integers(0, 12).map(float)
rings = hnp.arrays(np.float64, st.tuples(st.integers(3, 9), st.just(2)), elements=coordinates)


def contains(ring, points):
    region = shapely.Polygon(ring)
    return [region.contains(shapely.Point(*point)) for point in points]


@settings(deadline=None, derandomize=True)
@given(
    ring=rings,
    closed=st.booleans(),
    points=hnp.arrays(np.float64, (12, 2), elements=coordinates),
)
def test_inside_equals_one_contains_per_point(ring, closed, points):
    ring = np.concatenate([ring, ring[:1]]) if closed else ring
    assert inside(points, [ring]).tolist() == contains(ring, points)


@settings(deadline=None, derandomize=True)
@given(several=st.lists(rings, min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_pairs_equal_one_contains_per_point(several, seed):
    rng = np.random.default_rng(seed)
    ring = rng.integers(0, len(several), 6)
    points = rng.integers(-1, 14, (6, 5, 2)).astype(np.float64)
    points[0, 0] = np.nan, 3
    points[1, 1] = np.inf, 3
    expected = [contains(several[i], group) for i, group in zip(ring, points, strict=True)]
    assert inside_pairs(points, several, ring).tolist() == expected


def test_no_ring_holds_nothing():
    assert not inside(np.zeros((3, 2)), []).any()
    assert inside_pairs(np.zeros((0, 5, 2)), [SQUARE], np.zeros(0, np.int64)).shape == (0, 5)
