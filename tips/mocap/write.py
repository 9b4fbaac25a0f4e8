"""Writes rendered sequences in PoseTrack18's layout, plus what only a renderer knows.

images/{split}/{sequence}/%06d.jpg        annotations/{split}/{sequence}.json
between/{split}/{sequence}/%06d.jpg       true in-between frame at t + 1/2, never degraded
truth/{split}/{sequence}.json             all joints in frames and between them, visibility
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from tips import skeleton
from tips.config.embedded import Embedded, Split
from tips.mocap import textures
from tips.mocap.body import Bank, skin
from tips.mocap.motion import Clip
from tips.mocap.render import Mesh, Renderer, expose, margin, picture, visibility
from tips.mocap.scene import QUARTERS, Person, Scene, draw_scene, project
from tips.records import atomic, atomic_path

Array = np.ndarray

QUALITY: Final = 95  # quality of the JPEG files
LEAST_JOINTS: Final = 4  # a person with fewer joints in the picture becomes an ignore region
# PoseTrack18's ids are made of source, sequence and frame: T SSSSSS FFFF. Each split has a range of
# sequence numbers, so that ids are unique in the whole dataset.
_NUMBERS: Final[dict[Split, int]] = {"train": 0, "val": 300_000, "stills": 600_000}
_SKELETON: Final = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
CATEGORIES: Final = [
    {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.SLOTS_17),
        "skeleton": [list(edge) for edge in _SKELETON],
    }
]


class World(NamedTuple):
    """The settings and objects that all scenes of a split are made from."""

    settings: Embedded
    clips: dict[str, Clip]
    renderer: Renderer

    @property
    def bank(self) -> Bank:
        """The body bank."""
        return self.renderer.bank


class Shot(NamedTuple):
    """The labels of one frame, with people in drawing order."""

    joints: Float[Array, "p 15 2"]  # image px
    visible: Bool[Array, "p 15"]
    boxes: Float[Array, "p 4"]  # x, y, width, height of the body's outline, image px
    heads: Float[Array, "p 4"]  # x, y, width, height of the head's outline, image px
    tracks: tuple[int, ...]
    annotated: tuple[bool, ...]


def sequence_name(split: Split, index: int) -> str:
    """Returns the name of a sequence, NNNNNN_mpii..., the only form that poseval accepts."""
    return f"{_NUMBERS[split] + index:06d}_mpii_{split}"


def sequence_index(split: Split, name: str) -> int:
    """Returns the index of a sequence from its name."""
    return int(name[:6]) - _NUMBERS[split]


def frame_id(split: Split, index: int, frame: int) -> int:
    """Computes a frame's id as PoseTrack18 makes it: source 1, sequence number, frame number.

    Args:
        split: the sequence's split.
        index: index of the sequence in its split.
        frame: position of the frame in the sequence.
    """
    return 10**10 + (_NUMBERS[split] + index) * 10**4 + frame


def write_clip(world: World, split: Split, index: int, root: Path) -> dict[str, Any]:
    """Renders and writes one sequence of train or val.

    Args:
        world: settings, clips and renderer.
        split: `train` or `val`.
        index: index of the sequence in its split.
        root: the dataset's folder.

    Returns:
        The sequence's entry in the shard's record: name, sha256 of everything written, counts.
    """
    settings = world.settings
    scene = draw_scene(settings, world.clips, world.bank, split, index, index)
    name = sequence_name(split, index)
    mesh = world.renderer.load(scene)
    behind = _behind(settings, split, scene)
    digest = hashlib.sha256()
    shots = []
    for frame in range(settings.frames):
        noise = np.random.default_rng([scene.noise, frame])
        clean = picture(world.renderer, scene, mesh, behind, frame)
        _jpg(root / "images" / split / name / f"{frame:06d}.jpg",
             expose(clean, scene.damage[frame], noise), digest)  # fmt: skip
        shots.append(_shot(world.renderer, scene, mesh, frame, 0))
        if frame + 1 < settings.frames:
            middle = picture(world.renderer, scene, mesh, behind, frame + 0.5)
            image = np.clip(middle + 0.5, 0, 255).astype(np.uint8)
            _jpg(root / "between" / split / name / f"{frame:06d}.jpg", image, digest)
    labels = annotations(settings, split, index, shots, set(settings.key_frames))
    truth = {
        "motion": scene.people[0].clip,
        "degraded": [damage.fault != "none" for damage in scene.damage],
        "faults": [damage.fault for damage in scene.damage],
        "people": [
            _truth(settings, scene, number, [shot.visible[number] for shot in shots])
            for number, person in enumerate(scene.people)
            if person.annotated
        ],
    }
    return _finish(root, split, name, labels, truth, digest, settings.frames)


def write_stills(world: World, split: Split, index: int, root: Path) -> dict[str, Any]:
    """Renders and writes one sequence of stills: unrelated scenes of one frame each.

    Args:
        world: settings, clips and renderer.
        split: `stills`.
        index: index of the sequence in its split.
        root: the dataset's folder.

    Returns:
        As `write_clip`.
    """
    settings = world.settings
    name = sequence_name(split, index)
    digest = hashlib.sha256()
    first = index * settings.stills_per_sequence
    count = min(settings.stills_per_sequence, settings.stills - first)
    shots, people, faults = [], [], []
    for frame in range(count):
        scene = draw_scene(settings, world.clips, world.bank, split, first + frame, first + frame)
        mesh = world.renderer.load(scene)
        behind = _behind(settings, split, scene)
        clean = picture(world.renderer, scene, mesh, behind, 0)
        noise = np.random.default_rng([scene.noise, 0])
        _jpg(root / "images" / split / name / f"{frame:06d}.jpg",
             expose(clean, scene.damage[0], noise), digest)  # fmt: skip
        shot = _shot(world.renderer, scene, mesh, 0, 10 * frame)
        shots.append(shot)
        faults.append(scene.damage[0].fault)
        for number, person in enumerate(scene.people):
            if person.annotated:
                entry = _truth(settings, scene, number, [shot.visible[number]])
                people.append(entry | {"track": shot.tracks[number], "first": frame})
    labels = annotations(settings, split, index, shots, set(range(count)))
    truth = {
        "motion": "stills",
        "degraded": [fault != "none" for fault in faults],
        "faults": faults,
        "people": people,
    }
    return _finish(root, split, name, labels, truth, digest, count)


def write_sequence(world: World, split: Split, index: int, root: Path) -> dict[str, Any]:
    """Renders and writes one sequence of any split.

    Args:
        world: settings, clips and renderer.
        split: the split.
        index: index of the sequence in its split.
        root: the dataset's folder.

    Returns:
        As `write_clip`.
    """
    return (write_stills if split == "stills" else write_clip)(world, split, index, root)


def _finish(
    root: Path,
    split: Split,
    name: str,
    labels: dict[str, Any],
    truth: dict[str, Any],
    digest: Any,
    frames: int,
) -> dict[str, Any]:
    for folder, value in (("annotations", labels), ("truth", truth)):
        path = root / folder / split / f"{name}.json"
        # The text has no indentation, because with it the json module uses its slow encoder.
        text = json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"
        digest.update(text.encode())
        with atomic(path) as stream:
            stream.write(text)
    return {
        "name": name,
        "sha256": digest.hexdigest(),
        "frames": frames,
        "labelled": sum(image["is_labeled"] for image in labels["images"]),
        "people": len(labels["annotations"]),
    }


def _behind(settings: Embedded, split: Split, scene: Scene) -> Float[Array, "h w 3"]:
    """Paints the background, BGR."""
    return textures.backdrop(settings, split, scene.backdrop, margin(scene))[..., ::-1].copy()


def _jpg(path: Path, image: Array, digest: Any) -> None:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV always encodes a BGR uint8 image"
    content = data.tobytes()
    digest.update(content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _shot(renderer: Renderer, scene: Scene, mesh: Mesh, frame: int, first: int) -> Shot:
    """Computes the labels of one frame."""
    index = scene.at(frame)
    one = scene.camera._replace(pan=scene.camera.pan[index : index + 1])
    joints, boxes, heads = [], [], []
    for person in scene.people:
        joints.append(project(renderer.settings, one, person.joints[index][None])[0])
        vertices, _ = skin(renderer.bank, person.body, person.transforms[index])
        outline = project(renderer.settings, one, vertices[None])[0]
        boxes.append(_box(outline))
        heads.append(_box(outline[renderer.bank.head]))
    return Shot(
        np.array(joints),
        visibility(renderer, scene, mesh, frame),
        np.array(boxes),
        np.array(heads),
        tuple(range(first, first + len(scene.people))),
        tuple(person.annotated for person in scene.people),
    )


def _box(points: Float[Array, "n 2"]) -> Float[Array, "4"]:
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low])


def annotations(
    settings: Embedded, split: Split, index: int, shots: list[Shot], labelled: set[int]
) -> dict[str, Any]:
    """Builds one sequence's PoseTrack18 json.

    Args:
        settings: size of the frame.
        split: the sequence's split.
        index: index of the sequence in its split.
        shots: labels of every frame.
        labelled: positions of the labelled frames; the others have no annotations.

    Returns:
        `images`, `annotations`, `categories`.
    """
    name = sequence_name(split, index)
    images, rows = [], []
    for frame, shot in enumerate(shots):
        number = frame_id(split, index, frame)
        image: dict[str, Any] = {
            "has_no_densepose": True,
            "is_labeled": frame in labelled,
            "file_name": f"images/{split}/{name}/{frame:06d}.jpg",
            "nframes": len(shots),
            "frame_id": number,
            "vid_id": name[:6],
            "id": number,
            "width": settings.width,
            "height": settings.height,
        }
        ignore = []
        if frame in labelled:
            size = (settings.width, settings.height)
            inside = _inside(shot.joints, size)
            for person, track in enumerate(shot.tracks):
                if shot.annotated[person] and inside[person].sum() >= LEAST_JOINTS:
                    rows.append(_row(shot, person, inside[person], number, track))
                elif (region := _ignore(shot.boxes[person], size)) is not None:
                    ignore.append(region)
        if ignore:
            image["ignore_regions_x"] = [[x for x, _ in region] for region in ignore]
            image["ignore_regions_y"] = [[y for _, y in region] for region in ignore]
        images.append(image)
    return {"images": images, "annotations": rows, "categories": CATEGORIES}


def _inside(joints: Float[Array, "p 15 2"], size: tuple[int, int]) -> Bool[Array, "p 15"]:
    return np.all((joints > -0.5) & (joints < np.array(size) - 0.5), axis=-1)


def _row(shot: Shot, person: int, inside: Array, number: int, track: int) -> dict[str, Any]:
    keypoints: list[float] = []
    for slot in skeleton.SLOTS_17:
        joint = skeleton.INDEX.get(slot)
        if joint is None or not inside[joint]:
            keypoints += [0.0, 0.0, 0.0]  # absent: ears always, and joints outside the image
        else:
            keypoints += [*_rounded(shot.joints[person, joint]), 1.0]
    return {
        "id": number * 100 + track % 100,
        "image_id": number,
        "track_id": track,
        "category_id": 1,
        "bbox_head": [round(float(value)) for value in shot.heads[person]],
        "bbox": _rounded(shot.boxes[person]),
        "keypoints": keypoints,
        "scores": [],
    }


def _ignore(box: Array, size: tuple[int, int]) -> list[tuple[float, float]] | None:
    """Computes an octagon around a person who is not annotated; None outside the picture."""
    grow = 0.1 * box[2:] + 1
    low, high = box[:2] - grow, box[:2] + box[2:] + grow
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    if ((high - low) < 2).any():
        return None
    cut = 0.25 * (high - low)
    (x0, y0), (x1, y1), (cx, cy) = low, high, cut
    corners = [
        (x0 + cx, y0), (x1 - cx, y0), (x1, y0 + cy), (x1, y1 - cy),
        (x1 - cx, y1), (x0 + cx, y1), (x0, y1 - cy), (x0, y0 + cy),
    ]  # fmt: skip
    return [(round(float(x), 2), round(float(y), 2)) for x, y in corners]


def _truth(
    settings: Embedded, scene: Scene, number: int, visible: list[Bool[Array, "15"]]
) -> dict[str, Any]:
    """Gathers all that the renderer knows of one person, at the frames and between them."""
    person: Person = scene.people[number]
    where = project(settings, scene.camera, person.joints)
    frames = len(visible)
    return {
        "track": number,
        "first": 0,
        "motion": person.clip,
        "joints": [_rounded(where[scene.at(frame)]) for frame in range(frames)],
        "visible": [row.tolist() for row in visible],
        "covered": [_covered(scene, number, frame) for frame in range(frames)],
        "between": {
            str(quarter): [
                _rounded(where[scene.at(frame + quarter)]) for frame in range(frames - 1)
            ]
            for quarter in QUARTERS
        },
    }


def _covered(scene: Scene, number: int, frame: int) -> bool:
    """Tells whether a cover stays in front of one of a person's limbs at a frame."""
    index = scene.at(frame)
    return any(bool(one.there()[index]) for one in scene.occluders if one.covers == number)


def _rounded(values: Array) -> list[Any]:
    result: list[Any] = np.round(values.astype(np.float64), 3).tolist()
    return result
