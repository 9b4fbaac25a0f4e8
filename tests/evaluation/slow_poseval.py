"""The evaluator by the letter, one frame, person and joint after the other.

Written from the description of the rules, with none of tips.evaluation's code and nothing
vectorised: what the quick version must equal. Ties between scores keep file order.
"""

import math

import numpy as np
import shapely

NAMES = (
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow "
    "right_shoulder left_shoulder left_elbow left_wrist head_bottom nose head_top"
).split()


def to_frames(data):
    """Frames of either form: (people, regions); a person is (points, head), or points None.

    A point is (joint, x, y, score); head is the rectangle's diagonal.
    """
    if "annolist" in data:
        return [frame_17(frame) for frame in data["annolist"]]
    names = data["categories"][0]["keypoints"]
    frames = []
    for image in data["images"]:
        own = [a for a in data["annotations"] if a["image_id"] == image["id"]]
        x, y = image.get("ignore_regions_x"), image.get("ignore_regions_y")
        regions = []
        if x is not None and y is not None:
            regions = [list(zip(*ring, strict=True)) for ring in zip(x, y, strict=True)]
        labelled = image.get("is_labeled")
        frames.append(([person_18(a, names) for a in own], regions, labelled))
    return frames


def person_18(annotation, names):
    points = []
    for place, name in enumerate(names):
        x, y, v = annotation["keypoints"][3 * place : 3 * place + 3]
        if name in NAMES and not (x == 0 and y == 0 and v == 0):
            score = annotation["scores"][place] if annotation.get("scores") else -9999
            points.append((NAMES.index(name), x, y, score))
    head = annotation.get("bbox_head")
    if head is not None:
        head = (head[0], head[1], head[0] + head[2], head[1] + head[3])
    return points, head


def frame_17(frame):
    people = []
    for person in frame["annorect"]:
        holder = person.get("annopoints")
        points = None
        if holder and holder[0] and "point" in holder[0]:
            points = [
                (p["id"][0], p["x"][0], p["y"][0], p["score"][0] if "score" in p else -9999)
                for p in holder[0]["point"]
                if p["id"] is not None
            ]
        head = [person[k][0] for k in ("x1", "y1", "x2", "y2")] if "x1" in person else None
        people.append((points, head))
    regions = [
        [(p["x"][0], p["y"][0]) for p in region["point"]]
        for region in frame.get("ignore_regions", [])
    ]
    return people, regions, frame.get("is_labeled", [None])[0]


def counted_frames(truth, found, kit):
    assert len(truth) == len(found)
    for (people, regions, labelled), (guesses, _, _) in zip(truth, found, strict=True):
        if labelled if kit else len(people) > 0:
            real = [person for person in people if person[0] is not None]
            made = [person for person in guesses if person[0] is not None]
            if regions:
                real, made = without_ignored(real, regions), without_ignored(made, regions)
            if kit:
                real, made = only_positive(real), only_positive(made)
            yield real, made


def without_ignored(people, regions):
    polygons = [shapely.Polygon(ring) for ring in regions]
    result = []
    for points, head in people:
        left = [
            p for p in points if not any(g.contains(shapely.Point(p[1], p[2])) for g in polygons)
        ]
        if left:
            result.append((left, head))
    return result


def only_positive(people):
    return [([p for p in points if p[1] > 0 and p[2] > 0], head) for points, head in people]


def by_joint(points):
    """Joint -> (x, y, score); the first of a joint counts, other ids do not."""
    result = {}
    for joint, *rest in points:
        if joint in range(15) and joint not in result:
            result[joint] = rest
    return result


def is_near(person, head, guess, joint, threshold, factor):
    if joint not in person or joint not in guess:
        return False
    unit = factor * np.linalg.norm(np.subtract(head[2:], head[:2]))
    with np.errstate(all="ignore"):
        gap = np.linalg.norm(np.subtract(person[joint][:2], guess[joint][:2])) / unit
    return bool(gap <= threshold)


def owners(truth, near, found):
    """Predicted person -> annotated person: each prediction's best, then each person's best."""
    pck = np.zeros((found, len(truth)))
    for q, p in np.ndindex(pck.shape):
        if truth[p][0]:
            pck[q, p] = sum(near[q, p, j] for j in range(15)) / len(truth[p][0])
    for q, p in np.ndindex(pck.shape):
        if p != int(np.argmax(pck[q])):
            pck[q, p] = 0
    return {int(np.argmax(pck[:, p])): p for p in range(len(truth)) if pck[:, p].max() > 0}


def label_frame(real, made, threshold, factor):
    """(joint, score, label) of every predicted joint."""
    truth = [(by_joint(points), head) for points, head in real]
    found = [by_joint(points) for points, _ in made]
    if not truth or not found:
        return [(j, guess[j][2], False) for guess in found for j in sorted(guess)]
    near = {
        (q, p, j): is_near(person, head, guess, j, threshold, factor)
        for q, guess in enumerate(found)
        for p, (person, head) in enumerate(truth)
        for j in range(15)
    }
    owner = owners(truth, near, len(found))
    return [
        (j, guess[j][2], q in owner and near[q, owner[q], j])
        for q, guess in enumerate(found)
        for j in sorted(guess)
    ]


def area_under_envelope(labels, n_truth, kit):
    """AP, precision, recall in percent of labels in ranked order."""
    if not labels:
        return 0.0, 0.0, 0.0
    if n_truth == 0 and not kit:
        return math.nan, 100 * sum(labels) / len(labels), math.nan
    hits, recall, precision = 0, [0.0], [0.0]
    for rank, label in enumerate(labels, start=1):
        hits += label
        recall.append(hits / max(n_truth, 1))
        precision.append(hits / rank)
    last = 100 * precision[-1], 100 * recall[-1]
    recall, precision = [*recall, 1.0], [*precision, 0.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    area = sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))
    return 100 * area, *last


def slow_evaluation(sequences, *, threshold=0.5, factor=0.6, kit=False):
    """Of (truth, predictions) as parsed json: the keys of the oracles' expected.json."""
    samples, n_truth = {j: [] for j in range(15)}, [0] * 15
    for truth, found in sequences:
        for real, made in counted_frames(to_frames(truth), to_frames(found), kit):
            for points, _ in real:
                for joint in by_joint(points):
                    n_truth[joint] += 1
            for joint, score, label in label_frame(real, made, threshold, factor):
                samples[joint].append((score, label))
    ap, precision, recall = [], [], []
    for joint in range(15):
        ranked = sorted(samples[joint], key=lambda s: -math.inf if math.isnan(s[0]) else -s[0])
        ranked.sort(key=lambda s: not math.isnan(s[0]))  # NaN before infinity
        labels = [label for _, label in ranked]
        area = area_under_envelope(labels, n_truth[joint], kit)
        for values, value in zip((ap, precision, recall), area, strict=True):
            values.append(value)
    known = [value for value in ap if not math.isnan(value)]
    return {
        "ap": ap,
        "ap_mean": sum(known) / len(known) if known else math.nan,
        "precision": precision,
        "recall": recall,
        "n_gt": n_truth,
        "n_pred": [len(samples[joint]) for joint in range(15)],
        "n_tp": [sum(label for _, label in samples[joint]) for joint in range(15)],
    }
