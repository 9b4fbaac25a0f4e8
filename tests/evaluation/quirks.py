"""Sequences with every quirk that the rules speak of, at random, as parsed json of either form."""

import numpy as np
from slow_poseval import NAMES

SLOTS = (
    "nose head_bottom head_top left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
).split()


def sequence(rng, style, frames=4, noise=8.0, ties=False, number=1):
    """Truth and predictions of one video."""
    scene = [_frame(rng, noise, ties) for _ in range(frames)]
    write = _write_17 if style == 17 else _write_18
    return write(rng, scene, number, predicted=False), write(rng, scene, number, predicted=True)


def _chance(rng, share):
    return bool(rng.random() < share)


def _frame(rng, noise, ties):
    """People and guesses as (points, head); points None, or rows (joint, x, y, score or None)."""
    real, made = [], []
    for _ in range(int(rng.integers(0, 5))):
        middle = rng.uniform(-20, 250, 2)
        joints = np.round(middle + rng.normal(0, 40, (15, 2)), 1)
        points = [(j, x, y, None) for j, (x, y) in enumerate(joints.tolist()) if _chance(rng, 0.85)]
        size = [0.0, 0.0] if _chance(rng, 0.05) else np.round(rng.uniform(15, 40, 2), 1).tolist()
        head = [*np.round(middle, 1).tolist(), *size]
        real.append((_odd(rng, points), head))
        for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
            made.append((_odd(rng, _guess(rng, joints, noise, ties)), head))
    for _ in range(int(rng.integers(0, 2))):
        made.append((_guess(rng, rng.uniform(-20, 300, (15, 2)), noise, ties), None))
    rng.shuffle(made)
    if _chance(rng, 0.15):
        real = []
    if _chance(rng, 0.1):
        made = []
    regions = [
        np.round(rng.uniform(-20, 250, (int(rng.choice([0, 3, 4, 9])), 2)), 0).tolist()
        for _ in range(int(rng.choice([0, 0, 1, 2])))
    ]
    return real, made, regions, _chance(rng, 0.8)


def _guess(rng, joints, noise, ties):
    rows = []
    for j, (x, y) in enumerate((joints + rng.normal(0, noise, (15, 2))).tolist()):
        if _chance(rng, 0.1):
            continue
        score = round(float(rng.random()), 1) if ties else float(rng.random())
        if _chance(rng, 0.02):
            score = float("nan")
        if _chance(rng, 0.02):
            score = None
        if _chance(rng, 0.02):
            x = float("nan")
        if _chance(rng, 0.01):
            y = float("inf")
        rows.append((j, x, y, score))
    return rows


def _odd(rng, points):
    """Now and then nothing, an empty list, a joint at the origin, or joints listed twice."""
    kind = rng.random()
    if kind < 0.04:
        return None
    if kind < 0.08:
        return []
    if kind < 0.12 and points:
        points[0] = (points[0][0], 0.0, 0.0, points[0][3])
    if kind > 0.85:
        moved = [(j, x + 30.0, y - 10.0, s) for j, x, y, s in points if _chance(rng, 0.3)]
        points = points + moved
        rng.shuffle(points)
        points = [(int(j), x, y, s) for j, x, y, s in points]
    return points


def _write_17(rng, scene, number, *, predicted):
    frames = []
    for index, (real, made, regions, labelled) in enumerate(scene):
        people = [_person_17(rng, *person, predicted) for person in (made if predicted else real)]
        for track, person in enumerate(people):
            if _chance(rng, 0.9):
                person["track_id"] = [track if predicted else 0]
        name = f"images/bonn/{number:06d}_synth/{index + 1:08d}.jpg"
        frame = {"image": [{"name": name}], "annorect": people}
        if not predicted:
            frame["is_labeled"] = [int(labelled)]
            if regions or _chance(rng, 0.5):
                frame["ignore_regions"] = [
                    {"point": [{"x": [x], "y": [y]} for x, y in ring]} for ring in regions
                ]
        frames.append(frame)
    return {"annolist": frames}


def _person_17(rng, points, head, predicted):
    person = {}
    if head is not None and not predicted:
        x, y, width, height = head
        person |= {"x1": [x], "y1": [y], "x2": [x + width], "y2": [y + height]}
    if points is None:
        return person | [{}, {"annopoints": []}, {"annopoints": [{}]}][int(rng.integers(3))]
    rows = []
    for joint, x, y, score in points:
        row = {"id": [joint], "x": [x], "y": [y]}
        rows.append(row | ({"score": [score]} if predicted and score is not None else {}))
    if _chance(rng, 0.2):
        rows.insert(0, {"id": [77], "x": [1.0], "y": [1.0], "score": [0.5]})
    if _chance(rng, 0.1):
        rows.insert(0, {"id": None, "x": [1.0], "y": [1.0]})
    return person | {"annopoints": [{"point": rows}]}


def _write_18(rng, scene, number, *, predicted):
    names = [*SLOTS] if _chance(rng, 0.5) else [*NAMES]
    if _chance(rng, 0.5):
        rng.shuffle(names)
    images, annotations = [], []
    ids = (rng.permutation(len(scene)) + 100 * number + 1000 * predicted).tolist()
    for index, (real, made, regions, labelled) in enumerate(scene):
        image = {
            "id": ids[index],
            "file_name": f"images/val/{number:06d}_bonn_test/{index:06d}.jpg",
        }
        if not predicted:
            image["is_labeled"] = labelled
            image["ignore_regions_x"] = [[x for x, _ in ring] for ring in regions]
            image["ignore_regions_y"] = [[y for _, y in ring] for ring in regions]
        images.append(image)
        for track, (points, head) in enumerate(made if predicted else real):
            person = _person_18(rng, points or [], names, predicted)
            person |= {"image_id": image["id"], "id": len(annotations)}
            if head is not None and not predicted:
                person["bbox_head"] = head
            if _chance(rng, 0.9):
                person["track_id"] = track if predicted else 0
            annotations.append(person)
    rng.shuffle(annotations)
    categories = [{"name": "person", "id": 1, "keypoints": names}]
    return {"images": images, "annotations": annotations, "categories": categories}


def _person_18(rng, points, names, predicted):
    keypoints, scores = [0.0] * (3 * len(names)), [0.5] * len(names)
    for joint, x, y, score in points:
        at = names.index(NAMES[joint])
        # Placed but invisible joints count, and so does (0, 0, 1).
        v = 1 if (x, y) == (0, 0) or _chance(rng, 0.8) else 0
        keypoints[3 * at : 3 * at + 3] = [x, y, v]
        scores[at] = -9999.0 if score is None else score
    if "left_ear" in names and _chance(rng, 0.3):
        at = names.index("left_ear")
        keypoints[3 * at : 3 * at + 3] = [50.0, 50.0, 1]
    person = {"keypoints": keypoints}
    if predicted and _chance(rng, 0.95):
        person["scores"] = scores
    elif predicted and _chance(rng, 0.5):
        person["scores"] = []
    return person
