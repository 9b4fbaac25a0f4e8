"""Part groups from data (Table V): mutual information of joint locations, spectral clustering.

It follows PBN (Tang and Wu, CVPR 2019), which the paper names, as far as PBN is public: the
location of a joint in its person's box is a random variable, and joints whose locations tell much
about each other belong to one group.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from tips import skeleton

# Paper: names PBN's normalised mutual information, no bins; here: chance-adjusted, 5 quantile bins
# an axis, because PBN states neither and plain normalisation grows with the number of cells.
BINS: Final = 5
LEAST: Final = 20  # people with both joints labelled; fewer tell nothing about 25 x 25 cells

# The anatomical neighbours of each joint, nearest first. A joint without labels joins the group of
# the nearest one that has labels.
_KIN: Final = {
    "nose": ("head_bottom", "head_top"),
    "head_top": ("nose", "head_bottom"),
    "head_bottom": ("nose", "head_top"),
    "shoulder": ("elbow", "head_bottom"),
    "elbow": ("wrist", "shoulder"),
    "wrist": ("elbow", "shoulder"),
    "hip": ("knee", "shoulder"),
    "knee": ("ankle", "hip"),
    "ankle": ("knee", "hip"),
}


def normalised_information(
    joints: NDArray[np.float64], boxes: NDArray[np.float64], bins: int = BINS
) -> NDArray[np.float64]:
    """Computes the adjusted mutual information of every two joints' locations in the person's box.

    A location is (p - box centre) / longer side of the box. It falls into one of bins x bins cells,
    whose edges are quantiles per joint and axis. Agreement by chance is subtracted, and negative
    values count as 0. A person counts for a pair of joints if both are labelled.

    Args:
        joints: (n, 15, 2) x then y, image px, NaN where not labelled.
        boxes: (n, 4) x, y, width, height, image px.
        bins: cells per axis.

    Returns:
        (15, 15), symmetric, in 0..1, with ones on the diagonal. Off the diagonal, the row of a
        joint that fewer than 20 people have is NaN; `group_parts` says how such a joint is grouped.

    Raises:
        ValueError: if shapes are wrong, a box has no area, or fewer than two joints are usable.
    """
    count = skeleton.COUNT
    if joints.shape[1:] != (count, 2) or boxes.shape != (len(joints), 4):
        raise ValueError(
            f"joints (n, {count}, 2) and boxes (n, 4) are needed; got {joints.shape}, {boxes.shape}"
        )
    if not (boxes[:, 2:] > 0).all():
        raise ValueError("every box must have an area; got one of width or height 0")
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    side = boxes[:, 2:].max(axis=1)
    cells = _cells((joints - centre[:, None]) / side[:, None, None], bins)
    matrix = np.full((count, count), np.nan)
    np.fill_diagonal(matrix, 1.0)
    for a in range(count):
        for b in range(a):
            both = (cells[:, a] >= 0) & (cells[:, b] >= 0)
            if both.sum() >= LEAST:
                score = adjusted_mutual_info_score(cells[both, a], cells[both, b])
                matrix[a, b] = matrix[b, a] = min(max(score, 0.0), 1.0)
    if len(usable(matrix)) < 2:
        raise ValueError(f"grouping needs two joints that {LEAST} people or more have labelled")
    return matrix


def usable(matrix: NDArray[np.float64]) -> tuple[int, ...]:
    """Lists the joints whose row of the matrix holds any number off the diagonal."""
    known = np.isfinite(matrix).sum(axis=1) > 1
    return tuple(int(joint) for joint in np.flatnonzero(known))


def group_parts(matrix: NDArray[np.float64], count: int) -> tuple[tuple[int, ...], ...]:
    """Partitions the 15 joints by spectral clustering of their information.

    The affinity is the mean of the matrix and its left/right mirror image, so that the input does
    not prefer a side. A joint without labels (the nose of a real clip) is not clustered: it joins
    the group of its nearest anatomical neighbour that has labels (nose: neck, wrist: elbow, ...).

    Args:
        matrix: (15, 15) of `normalised_information`.
        count: N, from 1 to the number of labelled joints; 15 gives one joint each in any case.

    Returns:
        N groups of joint ids, each sorted, ordered by their first joint from the head down.

    Raises:
        ValueError: count out of range.
    """
    if count == skeleton.COUNT:
        return tuple((joint,) for joint in range(skeleton.COUNT))
    joints = usable(matrix)
    if not 1 <= count <= len(joints):
        raise ValueError(
            f"count must lie in 1..{len(joints)} (labelled joints), or be 15; got {count}"
        )
    labels = dict(zip(joints, _cluster(_affinity(matrix, joints), count), strict=True))
    for joint in set(range(skeleton.COUNT)) - set(joints):
        labels[joint] = labels[_nearest(joint, joints)]
    groups = {
        label: tuple(joint for joint in range(skeleton.COUNT) if labels[joint] == label)
        for label in labels.values()
    }
    return tuple(sorted(groups.values(), key=max, reverse=True))


def agreement(a: Sequence[Sequence[int]], b: Sequence[Sequence[int]]) -> float:
    """Computes the adjusted Rand index of two partitions: 1 if identical, 0 as by chance.

    Raises:
        ValueError: if a joint is in no group or in two.
    """
    return float(adjusted_rand_score(_labels(a), _labels(b)))


def _cells(located: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Computes cell ids (n, 15) of box-relative locations (n, 15, 2); -1 where not labelled."""
    cells = np.full(located.shape[:2], -1, dtype=np.int64)
    for joint in range(located.shape[1]):
        has = np.isfinite(located[:, joint]).all(axis=1)
        if not has.any():
            continue
        points = located[has, joint]
        edges = np.quantile(points, np.arange(1, bins) / bins, axis=0)
        column = np.searchsorted(edges[:, 0], points[:, 0], side="right")
        row = np.searchsorted(edges[:, 1], points[:, 1], side="right")
        cells[has, joint] = row * bins + column
    return cells


def _affinity(matrix: NDArray[np.float64], joints: tuple[int, ...]) -> NDArray[np.float64]:
    mirrored = matrix[np.ix_(skeleton.MIRROR, skeleton.MIRROR)]
    known = np.isfinite(matrix).astype(float) + np.isfinite(mirrored)
    total = np.nan_to_num(matrix) + np.nan_to_num(mirrored)
    mean = np.divide(total, known, out=np.zeros_like(total), where=known > 0)
    # A graph of separate pieces has no unique spectral embedding. This tiny affinity connects the
    # pieces and is too small to change the groups.
    return np.asarray(np.maximum(mean[np.ix_(joints, joints)], 1e-6))


def _cluster(affinity: NDArray[np.float64], count: int) -> list[int]:
    if count in (1, len(affinity)):
        return list(range(count)) if count > 1 else [0] * len(affinity)
    clusters = SpectralClustering(
        count, affinity="precomputed", assign_labels="kmeans", random_state=0, n_init=20
    )
    return [int(label) for label in clusters.fit_predict(affinity)]


def _nearest(joint: int, labelled: tuple[int, ...]) -> int:
    """Finds the nearest labelled joint along the body, on the same side if the joint has a side."""
    seen, queue = {joint}, [joint]
    while queue:
        current = queue.pop(0)
        if current in labelled:
            return current
        name = skeleton.JOINTS[current]
        side, _, part = name.rpartition("_") if name not in _KIN else ("", "", name)
        for kin in _KIN[part]:
            name = kin if kin in skeleton.INDEX else f"{side}_{kin}"
            neighbour = skeleton.INDEX[name]
            if neighbour not in seen:
                seen.add(neighbour)
                queue.append(neighbour)
    return labelled[0]


def _labels(groups: Sequence[Sequence[int]]) -> list[int]:
    found = {joint: label for label, group in enumerate(groups) for joint in group}
    if sorted(found) != list(range(skeleton.COUNT)) or sum(map(len, groups)) != skeleton.COUNT:
        raise ValueError("a partition holds each of the 15 joints once")
    return [found[joint] for joint in range(skeleton.COUNT)]
