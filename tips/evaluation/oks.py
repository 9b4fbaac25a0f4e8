"""Object keypoint similarity per body part, the values of Fig. 4.

All similarities are pycocotools' own (COCOeval, iouType "keypoints"). For a part, it gets a copy of
the truth in which the joints of other parts are not labelled.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from pycocotools.coco import COCO
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
    joints: Floats  # (P, 15, 2)
    areas: Floats  # (P,)
    boxes: Floats  # (P, 4)
    found: Floats  # (Q, 15, 2), far away where absent
    people: Floats  # (Q,)
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
    found = {name: _part(images, ids, sigmas, sizes) for name, ids in PARTS.items()}
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
    return _evaluate(images, range(skeleton.COUNT), sigmas)[0]


def similarities(
    truth: Floats, areas: Floats, found: Floats, sigmas: Sequence[float] = skeleton.SIGMAS
) -> Floats:
    """Computes the OKS of every predicted with every annotated person by pycocotools.

    Args:
        truth: annotated joints (P, 15, 2), image px, NaN where absent; at least one per person.
        areas: areas of the annotated people (P,), px^2.
        found: predicted joints (Q, 15, 2), image px, NaN where absent.
        sigmas: COCO's sigma of each of the 15 joints.

    Returns:
        (Q, P)
    """
    boxes = np.tile([0.0, 0.0, 1.0, 1.0], (len(truth), 1))
    image = _Image(truth, areas, boxes, _placed(found), np.zeros(len(found)), [])
    return _evaluate([image], range(skeleton.COUNT), sigmas)[1][0]


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
        joints, placed, people = truth.joints[where], _placed(found.joints), person_scores(found)
        pairs: list[tuple[int, int]] = []
        if matching == "track":
            tracks = [truth.tracks[row] for row in where]
            pairs = _by_track(tracks, found.tracks, f"{clip.name}, frame {position}")
        elif matching == "best":
            pairs = _best(similarities(joints, areas, placed, sigmas), people)
        images.append(_Image(joints, areas, truth.boxes[where], placed, people, pairs))
    return images


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
    images: Sequence[_Image], ids: Sequence[int], sigmas: Sequence[float], sizes: Sequence[int]
) -> tuple[PartOks, PartSums]:
    """Scores one part, and sums it over clips; `sizes` are the numbers of images of the clips."""
    coco, tables = _evaluate(images, ids, sigmas)
    labelled = [_has_joint(image.joints[:, ids]) for image in images]
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


def _evaluate(
    images: Sequence[_Image], ids: Sequence[int], sigmas: Sequence[float]
) -> tuple[CocoAp, list[Floats]]:
    """Runs COCOeval on some joints. Returns the AP, and similarities (Q, P) of each image.

    People without a labelled joint among `ids` are left out; their columns are NaN.
    """
    truth, found, columns = _annotations(images, ids)
    result = [np.full((len(image.found), len(image.joints)), np.nan) for image in images]
    if not truth or not found:
        return CocoAp(*[0.0 if truth else float("nan")] * 4), result
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(_coco(truth, len(images)), _coco(found, len(images)), "keypoints")
        run.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        run.params.maxDets = [max(len(image.found) for image in images)]
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    for index, (image, people) in enumerate(zip(images, columns, strict=True)):
        table = run.ious[index + 1, 1]
        if len(table):
            # pycocotools sorts detections by score, also with a stable sort.
            order = np.argsort(-image.people, kind="stable")
            result[index][np.ix_(order, np.array(people))] = table
    precision, recall = run.eval["precision"], run.eval["recall"]
    at = [precision, precision[THRESHOLD_50], precision[THRESHOLD_75], recall]
    return CocoAp(*(100 * float(part[part > -1].mean()) for part in at)), result


def _annotations(
    images: Sequence[_Image], ids: Sequence[int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[list[int]]]:
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    columns: list[list[int]] = []
    chosen: Bools = np.zeros(skeleton.COUNT, dtype=np.bool_)
    chosen[list(ids)] = True
    for number, image in enumerate(images, start=1):
        labelled: Bools = ~np.isnan(image.joints).any(axis=-1) & chosen
        columns.append(np.flatnonzero(labelled.any(axis=1)).tolist())
        for person in columns[-1]:
            visible = labelled[person]
            points = np.column_stack([np.nan_to_num(image.joints[person]), visible])
            truth.append(
                {
                    "image_id": number,
                    "keypoints": points.ravel().tolist(),
                    "num_keypoints": int(visible.sum()),
                    "area": float(image.areas[person]),
                    "bbox": image.boxes[person].tolist(),
                    "iscrowd": 0,
                }
            )
        for joints, score in zip(image.found, image.people, strict=True):
            points = np.column_stack([joints, np.ones(skeleton.COUNT)])
            found.append(
                {
                    "image_id": number,
                    "keypoints": points.ravel().tolist(),
                    "score": float(score),
                    "area": 1.0,
                }
            )
    return truth, found, columns


def _coco(annotations: list[dict[str, Any]], images: int) -> Any:
    data = COCO()
    data.dataset = {
        "images": [{"id": number} for number in range(1, images + 1)],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            annotation | {"id": number, "category_id": 1}
            for number, annotation in enumerate(annotations, start=1)
        ],
    }
    data.createIndex()
    return data
