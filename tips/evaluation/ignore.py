"""Tells which points lie in ignore regions, as shapely's `Polygon.contains`, but many at once."""

from collections.abc import Sequence

import numpy as np
import shapely

from tips.evaluation.people import Bools, Floats, Ints


def inside(points: Floats, rings: Sequence[Floats]) -> Bools:
    """Tells whether points (..., 2) lie strictly inside any ring; see `inside_pairs`."""
    flat = points.reshape(1, -1, 2)
    filled = [ring for ring in rings if len(ring)]
    pairs = inside_pairs(flat.repeat(len(filled), axis=0), filled, np.arange(len(filled)))
    return np.asarray(pairs.any(axis=0).reshape(points.shape[:-1]), dtype=np.bool_)


def inside_pairs(points: Floats, rings: Sequence[Floats], ring: Ints) -> Bools:
    """Tells whether points lie strictly inside one ring each; edges and vertices are outside.

    A ring that crosses itself is filled by the even-odd rule.

    Args:
        points: groups of points (n, k, 2), image px; a point that is not finite is outside.
        rings: corners of each ring (c, 2), c >= 3, image px.
        ring: index of each group's ring (n,).

    Returns:
        (n, k)
    """
    result = np.zeros(points.shape[:2], dtype=np.bool_)
    if not len(ring):
        return result
    sizes = np.array([len(corners) for corners in rings])
    corners = np.concatenate(rings)
    starts = np.cumsum(sizes) - sizes
    low, high = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
    # Most joints are far from every region, so shapely is asked only about points in the bounding
    # box of their ring.
    boxed = (points > low[ring, None]) & (points < high[ring, None])
    near = np.asarray(boxed.all(axis=-1), dtype=np.bool_)
    group, _ = places(near)
    asked, which = np.unique(ring[group], return_inverse=True)
    if len(asked):
        keep = np.repeat(np.isin(np.arange(len(rings)), asked), sizes)
        indices = np.repeat(np.arange(len(asked)), sizes[asked])
        regions = shapely.polygons(shapely.linearrings(corners[keep], indices=indices))
        shapely.prepare(regions)
        x, y = points[near].T
        result[near] = shapely.contains_xy(regions[which], x, y)
    return result


def places(mask: Bools) -> tuple[Ints, Ints]:
    """Gives row and column of every True of a matrix, in order; much faster than `nonzero`."""
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return rows, columns
