"""Object keypoint similarity per body part, the values of Fig. 4.

Similarities and matches follow pycocotools (COCOeval, iouType "keypoints"), but are computed in
arrays, because its loops over people and thresholds take seconds. AP is computed from the matches
by COCOeval itself. For a part, joints of other parts count as not labelled.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pycocotools.cocoeval import COCOeval

from tips import skeleton
from tips.evaluation.matching import clean
from tips.evaluation.people import Bools, Clip, Floats, FoundFrame, Ints
from tips.records import RecordError

# Paper: Fig. 4 shows "OKS values of 7 symmetric parts" and defines no OKS for PoseTrack; here:
# mean part OKS under fixed full-body matches, unmatched people counting 0, because that is an OKS
# proper (part AP is tabulated beside it) and no match changes from part to part.
AREA_FACTOR = 0.53  # a person's area / box, as in mmpose: PoseTrack has no segmentation areas
MATCH_FROM = 0.5  # lowest full-body OKS of a match, COCO's first threshold
THRESHOLD_50, THRESHOLD_75 = 0, 5  # places among COCO's thresholds .50:.05:.95
_FAR = 1e9  # px; pycocotools gets this place for a joint that was not predicted
PARTS = {
    name: tuple(skeleton.INDEX[joint] for joint in joints)
    for name, joints in skeleton.COLUMNS.items()
}

# mmpose takes .025, the sigma of COCO's eyes, for head_bottom and head_top; see skeleton.SIGMAS.
SIGMAS = {
    "pifpaf": skeleton.SIGMAS,
    "mmpose": tuple(
        0.025 if name.startswith("head_") else sigma
        for name, sigma in zip(skeleton.JOINTS, skeleton.SIGMAS, strict=True)
    ),
}

ALL = range(skeleton.COUNT)  # the ids of all joints

Matching = Literal["track", "best"]


class PartOks(NamedTuple):
    """OKS of one part, percent."""

    score: float  # mean over people with a labelled joint there; unmatched people count 0
    matched: float  # mean over matched people only
    ap: float  # COCOeval's AP (.50:.95) on the truth restricted to the part
    n: int  # number of people with a labelled joint there
    n_matched: int  # number of matched people among them


class CocoAp(NamedTuple):
    """COCO's keypoint AP of whole people, percent, at OKS thresholds .50:.95, .50 and .75."""

    ap: float
    ap50: float
    ap75: float
    ar: float  # mean recall over the thresholds


class PartSums(NamedTuple):
    """What the parts' scores are means of, by clip: a score on any resample follows from it."""

    similarity: Floats  # (clips, 7) sum over matched people, 0 to 1 each
    people: Floats  # (clips, 7) number of people with a labelled joint there


class OksResult(NamedTuple):
    """The values of Fig. 4 and the switches that they depend on."""

    parts: dict[str, PartOks]
    mean: float  # plain mean of the seven parts
    mean_by_joint: float  # (3 Head + 2 the six others) / 15, weighted as poseval's Total
    area_factor: float
    matching: Matching
    sums: PartSums


class _Image(NamedTuple):
    labelled: Bools  # (P, 15) whether a joint of the truth is known
    areas: Floats  # (P,)
    near: Floats  # (Q, P, 15) from `closeness`
    people: Floats  # (Q,) scores
    pairs: list[tuple[int, int]]  # (found, truth)


def part_oks(
    clips: Sequence[Clip],
    matching: Matching = "track",
    sigmas: Sequence[float] = skeleton.SIGMAS,
    area_factor: float = AREA_FACTOR,
) -> OksResult:
    """Computes the OKS of each part with one match per person, which is the same for all parts.

    Frames and joints are those that poseval counts.

    Args:
        clips: truth with person boxes, and predictions.
        matching: "track" matches equal tracks; it is for predictions from annotated boxes, which
            keep the tracks of these (Fig. 4). "best" goes through predictions by descending person
            score and matches each with the free person of highest full-body OKS, at least 0.5.
        sigmas: COCO's sigma of each of the 15 joints.
        area_factor: a person's area as a share of the box.

    Raises:
        RecordError: if a person with joints has no box, or a box without area.
    """
    by_clip = [_images(clean(clip), matching, sigmas, area_factor) for clip in clips]
    sizes = [len(images) for images in by_clip]
    images = [image for some in by_clip for image in some]
    found = {name: _part(images, ids, sizes) for name, ids in PARTS.items()}
    parts = {name: part for name, (part, _) in found.items()}
    sums = PartSums(
        *(np.stack(one, axis=1) for one in zip(*(sums for _, sums in found.values()), strict=True))
    )
    scores = np.array([part.score for part in parts.values()])
    weights = np.array([len(ids) for ids in PARTS.values()])
    return OksResult(
        parts=parts,
        mean=float(scores.mean()),
        mean_by_joint=float((scores * weights).sum() / weights.sum()),
        area_factor=area_factor,
        matching=matching,
        sums=sums,
    )


def resampled_parts(sums: PartSums, weights: Ints) -> Floats:
    """Computes the OKS of every part on many resamples of the clips.

    Args:
        sums: from `part_oks`.
        weights: how often each clip counts, (R, clips), integers.

    Returns:
        (R, 7), percent; NaN where nobody has the part.
    """
    people = weights @ sums.people
    scores = np.full(people.shape, np.nan)
    np.divide(100 * (weights @ sums.similarity), people, out=scores, where=people > 0)
    return scores


def coco_ap(
    clips: Sequence[Clip],
    sigmas: Sequence[float] = skeleton.SIGMAS,
    area_factor: float = AREA_FACTOR,
) -> CocoAp:
    """Computes COCO's keypoint AP of people of all sizes, on frames and joints that poseval counts.

    COCO keeps only the 20 predictions of a frame with the highest scores. Here all are kept,
    because PoseTrack's frames hold more people.

    Args:
        clips: truth with person boxes, and predictions.
        sigmas: COCO's sigma of each of the 15 joints.
        area_factor: a person's area as a share of the box.

    Raises:
        RecordError: if a person with joints has no box, or a box without area.
    """
    images = [
        image for clip in clips for image in _images(clean(clip), "none", sigmas, area_factor)
    ]
    return _coco_ap(images, ALL, [similarities(image.near) for image in images])


def _images(
    clip: Clip,
    matching: Matching | Literal["none"],
    sigmas: Sequence[float],
    area_factor: float,
) -> list[_Image]:
    images = []
    for position, truth, found in zip(clip.positions, clip.truth, clip.found, strict=True):
        where = np.flatnonzero(_has_joint(truth.joints))
        areas = area_factor * truth.boxes[where, 2] * truth.boxes[where, 3]
        if not ((areas > 0) & (areas < np.inf)).all():
            raise RecordError(
                f"{clip.name}, frame {position}: a person with joints has no box of positive "
                "area, which OKS divides by; annotate the box"
            )
        joints, people = truth.joints[where], person_scores(found)
        near = closeness(joints, areas, found.joints, sigmas)
        pairs: list[tuple[int, int]] = []
        if matching == "track":
            tracks = [truth.tracks[row] for row in where]
            pairs = _by_track(tracks, found.tracks, f"{clip.name}, frame {position}")
        elif matching == "best":
            pairs = _best(similarities(near), people)
        labelled = np.asarray(np.isfinite(joints).all(axis=-1), dtype=np.bool_)
        images.append(_Image(labelled, areas, near, people, pairs))
    return images


def closeness(
    truth: Floats, areas: Floats, found: Floats, sigmas: Sequence[float] = skeleton.SIGMAS
) -> Floats:
    """Computes exp(-e) of COCO's formula for every joint of every pair of people, from 0 to 1.

    Args:
        truth: annotated joints (P, 15, 2), image px, NaN where absent.
        areas: areas of the annotated people (P,), px^2.
        found: predicted joints (Q, 15, 2), image px, NaN where absent.
        sigmas: COCO's sigma of each of the 15 joints.

    Returns:
        (Q, P, 15), NaN where the truth is absent.
    """
    with np.errstate(over="ignore"):  # what is too far away for a square is infinitely far away
        apart = ((_placed(found)[:, None] - truth) ** 2).sum(axis=-1)
    spread = (2 * np.asarray(sigmas, dtype=np.float64)) ** 2
    # COCO adds the smallest number to the area, so that it can divide by an area of 0.
    near: Floats = np.exp(-apart / spread / (areas[:, None] + np.spacing(1)) / 2)
    return near


def similarities(near: Floats, ids: Sequence[int] = ALL) -> Floats:
    """Computes the OKS of every pair of people on some joints, from 0 to 1.

    Args:
        near: from `closeness`, (Q, P, 15).
        ids: the joints that count.

    Returns:
        (Q, P), NaN for people without one of these joints.
    """
    chosen = near[..., list(ids)]
    known = ~np.isnan(chosen)
    total = np.where(known, chosen, 0.0).sum(axis=-1)
    return np.divide(
        total, known.sum(axis=-1), out=np.full(total.shape, np.nan), where=known.any(axis=-1)
    )


def person_scores(found: FoundFrame) -> Floats:
    """Gives each predicted person's score; if the file has none, the mean of the joints' scores."""
    listed = ~np.isnan(found.joints).any(axis=-1)
    mean = np.where(listed, found.scores, 0.0).sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
    return np.where(np.isnan(found.people), mean, found.people)


def _has_joint(joints: Floats) -> Bools:
    return np.asarray(~np.isnan(joints).all(axis=(1, 2)), dtype=np.bool_)


def _placed(found: Floats) -> Floats:
    return np.where(np.isfinite(found), found, _FAR)


def _by_track(truth: Sequence[int], found: Sequence[int], where: str) -> list[tuple[int, int]]:
    if len(set(found)) != len(found) or len(set(truth)) != len(truth):
        raise RecordError(f'{where}: tracks repeat in a frame; match by OKS ("best") instead')
    place = {track: index for index, track in enumerate(truth)}
    return [(row, place[track]) for row, track in enumerate(found) if track in place]


def _best(oks: Floats, people: Floats) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    free = np.ones(oks.shape[1], dtype=np.bool_)
    for row in np.argsort(-people, kind="stable"):
        if not free.any():
            break
        column = int(np.argmax(np.where(free, oks[row], -1.0)))
        if oks[row, column] >= MATCH_FROM:
            free[column] = False
            pairs.append((int(row), column))
    return pairs


def _part(
    images: Sequence[_Image], ids: Sequence[int], sizes: Sequence[int]
) -> tuple[PartOks, PartSums]:
    """Scores one part, and sums it over clips; `sizes` are the numbers of images of the clips."""
    tables = [similarities(image.near, ids) for image in images]
    coco = _coco_ap(images, ids, tables)
    labelled = [_having(image, ids) for image in images]
    values = [
        [table[row, column] for row, column in image.pairs if has[column]]
        for image, table, has in zip(images, tables, labelled, strict=True)
    ]
    clip = np.repeat(np.arange(len(sizes)), np.array(sizes, dtype=np.int64))
    sums = PartSums(
        *(
            np.bincount(clip, np.array(each, dtype=np.float64), len(sizes)).astype(np.float64)
            for each in ([sum(some) for some in values], [has.sum() for has in labelled])
        )
    )
    n, matched = int(sums.people.sum()), sum(map(len, values))
    total = float(sums.similarity.sum())
    part = PartOks(
        score=100 * total / n if n else float("nan"),
        matched=100 * total / matched if matched else float("nan"),
        ap=coco.ap,
        n=n,
        n_matched=matched,
    )
    return part, sums


def _having(image: _Image, ids: Sequence[int]) -> Bools:
    """Tells which people (P,) have a labelled joint among some."""
    return np.asarray(image.labelled[:, ids].any(axis=1), dtype=np.bool_)


def _coco_ap(images: Sequence[_Image], ids: Sequence[int], tables: Sequence[Floats]) -> CocoAp:
    """Computes COCO's AP on some joints; people without a labelled one are left out.

    Args:
        images: the counted frames.
        ids: the joints.
        tables: the similarities (Q, P) of each image on these joints.
    """
    people = sum(int(_having(image, ids).sum()) for image in images)
    count = sum(len(image.people) for image in images)
    if not people or not count:
        return CocoAp(*[0.0 if people else float("nan")] * 4)
    run = COCOeval(iouType="keypoints")
    run.params.imgIds = run.params.catIds = [1]
    run.params.maxDets = [count]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    scores, hits = _hits(images, tables, run.params.iouThrs)
    # All frames together count as one image: COCOeval sorts the predictions of all images anyway.
    run.evalImgs = [
        {
            "dtScores": scores,
            "dtMatches": hits,
            "dtIgnore": np.zeros_like(hits),
            "gtIgnore": np.zeros(people),
        }
    ]
    run._paramsEval = run.params
    with contextlib.redirect_stdout(io.StringIO()):
        run.accumulate()
    precision, recall = run.eval["precision"], run.eval["recall"]
    at = [precision, precision[THRESHOLD_50], precision[THRESHOLD_75], recall]
    return CocoAp(*(100 * float(part[part > -1].mean()) for part in at))


def _hits(
    images: Sequence[_Image], tables: Sequence[Floats], thresholds: Floats
) -> tuple[Floats, Bools]:
    """Matches predictions with people as COCOeval does, in all images and at all T thresholds.

    Predictions choose by descending score, each the free person of the highest similarity, of
    equal ones the last.

    Returns:
        Scores of all N predictions, image after image, and whether each is a match (T, N).
    """
    found, people = (max(table.shape[axis] for table in tables) for axis in (0, 1))
    scores = np.zeros((len(images), found))
    similar = np.full((len(images), found, people), -1.0)  # below every threshold
    for number, (image, table) in enumerate(zip(images, tables, strict=True)):
        order = np.argsort(-image.people, kind="stable")
        scores[number, : len(order)] = image.people[order]
        similar[number, : len(order), : table.shape[1]] = np.nan_to_num(table[order], nan=-1.0)
    lowest = np.minimum(thresholds, 1 - 1e-10)[:, None]
    free = np.ones((len(images), len(thresholds), people), dtype=np.bool_)
    hits = np.zeros((len(thresholds), len(images), found), dtype=np.bool_)
    for column in range(found):
        values = similar[:, column, None]  # (images, 1, people)
        allowed = free & (values >= lowest)
        best = people - 1 - np.where(allowed, values, -1)[..., ::-1].argmax(-1)
        taken = (np.arange(people) == best[..., None]) & allowed
        hits[..., column] = taken.any(-1).T
        free &= ~taken
    real = np.arange(found) < np.array([len(image.people) for image in images])[:, None]
    return scores[real], hits[:, real]
