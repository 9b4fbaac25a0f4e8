"""Draws one scene at random: people, motions, camera path, occluders, degradation.

A scene depends on (seed, split, index) alone, so any job may render it. Camera axes: x to the
right, y away from the camera, z up, in metres. The origin of image px is the centre of the
top-left pixel.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tips import skeleton
from tips.config.embedded import Embedded, Split
from tips.mocap.body import Bank, joints, scale_of, transforms
from tips.mocap.damage import Damage, draw_damage
from tips.mocap.motion import Clip, Motion, disturb, mirror, mix, sample, world_rotations

Array = np.ndarray

QUARTERS: Final = (0.25, 0.5, 0.75)  # times between two frames at which joints are recorded
STANDARD: Final = 1.7  # m, height of the person whose image height is `person_height`
_SPLITS: Final[dict[Split, int]] = {"train": 0, "val": 1, "stills": 2}
_HIP: Final = 0.85  # m, height of the point that the camera looks at
_AWAY: Final = (0.0, 5.0, 1e4)  # m, a place far above the picture
_LIMBS: Final = [
    skeleton.INDEX[f"{side}_{joint}"]
    for side in ("left", "right")
    for joint in ("elbow", "wrist", "knee", "ankle")
]


class Person(NamedTuple):
    """One moving body."""

    body: int
    clip: str
    look: int  # seed of skin, hair and clothes
    annotated: bool
    transforms: Float[Array, "t 13 3 4"]  # [R | t] of the groups, camera axes, at the scene's times
    joints: Float[Array, "t 15 3"]  # camera axes, m


class Occluder(NamedTuple):
    """A flat polygon in front of a person, parallel to the image."""

    shape: Float[Array, "k 3"]  # m, camera axes, about its centre
    path: Float[Array, "t 3"]  # its centre at the scene's times, m
    colours: Float[Array, "k 3"]  # RGB 0..255
    covers: int | None = None  # the person one of whose limbs it stays in front of

    def there(self) -> Bool[Array, "t"]:
        """Tells at which of the scene's times it is in the scene."""
        return self.path[:, 2] < _AWAY[2]


class Camera(NamedTuple):
    """A camera that stands still except for a small pan."""

    focal: float  # px
    pan: Float[Array, "t 2"]  # px at the scene's times, added to image coordinates
    ground: Float[Array, "3 4"]  # [R | t] from world to camera axes
    light: Float[Array, "3"]  # unit vector towards the light, camera axes
    ambient: float


class Scene(NamedTuple):
    """Everything that is drawn; time index t runs over `times`."""

    times: Float[Array, "t"]  # in frames
    camera: Camera
    people: tuple[Person, ...]
    occluders: tuple[Occluder, ...]
    damage: tuple[Damage, ...]  # one per frame
    backdrop: int  # seed of the background
    noise: int  # seed of the image noise
    fps: float

    def at(self, time: float) -> int:
        """Returns the index of a time that is in `times`."""
        return int(np.searchsorted(self.times, time - 1e-6))


def generator(settings: Embedded, split: Split, index: int) -> np.random.Generator:
    """Returns the generator of one scene's random numbers.

    Args:
        settings: gives the dataset's seed.
        split: the scene's split.
        index: index of the scene in its split.
    """
    return np.random.default_rng([settings.seed, _SPLITS[split], index])


def shutter_times(settings: Embedded, time: float) -> Float[Array, "s"]:
    """Returns the moments, in frames, whose renderings are averaged to the picture at `time`."""
    count = settings.subframes
    return time + settings.shutter * ((np.arange(count) + 0.5) / count - 0.5)


def scene_times(settings: Embedded, frames: int) -> Float[Array, "t"]:
    """Returns all moments, in frames, ascending, that a scene of `frames` frames is drawn at."""
    middles = np.arange(2 * frames - 1) / 2
    moments = [shutter_times(settings, float(time)) for time in middles]
    quarters = (np.arange(frames - 1)[:, None] + np.array(QUARTERS)).ravel()
    return np.unique(np.round(np.concatenate([*moments, middles, quarters]), 9))


def draw_scene(
    settings: Embedded,
    clips: dict[str, Clip],
    bank: Bank,
    split: Split,
    index: int,
    first_motion: int,
) -> Scene:
    """Draws the scene `index` of a split.

    Args:
        settings: the dataset's settings.
        clips: the clips of the split, by name.
        bank: the body bank.
        split: the split that bodies and clips come from.
        index: index of the scene in its split.
        first_motion: clip of the first person, an index into the split's motions, which wraps
            around: so every motion is the first of equally many scenes.

    Returns:
        The scene.
    """
    rng = generator(settings, split, index)
    frames = 1 if split == "stills" else settings.frames
    times = scene_times(settings, frames)
    camera, distance = _camera(settings, times, rng)
    count = int(rng.integers(settings.people[0], settings.people[1] + 1))
    crossing = count > 1 and rng.random() < settings.crossing
    names = settings.motions(split)
    spots = _spots(settings, count, crossing, distance, camera.focal, rng)
    people = []
    for order, spot in enumerate(spots):
        name = names[first_motion % len(names)] if order == 0 else str(rng.choice(names))
        people.append(_person(settings, clips, bank, split, name, spot, camera, times, rng))
    # In a sequence a moving occluder is in front of a person for part of the time only. So a scene
    # of one frame gets fewer of them.
    rate = settings.occluders * (0.4 if frames == 1 else 1.0)
    occluders = _occluders(settings, people, rate, times, rng)
    occluders += _covers(settings, people, frames, times, rng)
    if rng.random() < settings.bystanders:
        spot = _Spot(rng.uniform(0.08, 0.92), distance * rng.uniform(1.7, 2.3), 0.0, False)
        name = str(rng.choice(names))
        people.append(_person(settings, clips, bank, split, name, spot, camera, times, rng))
    return Scene(
        times=times,
        camera=camera,
        people=tuple(people),
        occluders=occluders,
        damage=draw_damage(settings, frames, rng),
        backdrop=int(rng.integers(2**31)),
        noise=int(rng.integers(2**31)),
        fps=settings.fps,
    )


def project(
    settings: Embedded, camera: Camera, points: Float[Array, "t n 3"]
) -> Float[Array, "t n 2"]:
    """Projects points at all times of a scene to the image.

    Args:
        settings: size of the frame.
        camera: focal length and pan.
        points: camera axes, m.

    Returns:
        x then y, image px.
    """
    return _image(settings, camera, points) + camera.pan[:, None]


def _image(settings: Embedded, camera: Camera, points: Array) -> Array:
    depth = np.maximum(points[..., 1], 1e-3)
    x = (settings.width - 1) / 2 + camera.focal * points[..., 0] / depth
    y = (settings.height - 1) / 2 - camera.focal * points[..., 2] / depth
    return np.stack([x, y], axis=-1)


class _Spot(NamedTuple):
    """The place of a person at half time of a sequence."""

    across: float  # share of the frame's width
    depth: float  # m
    drift: float  # m/s to the right, on top of the clip's own motion
    annotated: bool


def _camera(settings: Embedded, times: Array, rng: np.random.Generator) -> tuple[Camera, float]:
    distance = rng.uniform(5.0, 10.0)
    focal = rng.uniform(*settings.person_height) / STANDARD * distance
    tilt = np.deg2rad(rng.uniform(-4.0, 22.0))
    cosine, sine = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    target = np.array([0.0, 0.0, _HIP + rng.uniform(-0.12, 0.12)])
    ground = np.concatenate([turn, (np.array([0, distance, 0]) - turn @ target)[:, None]], axis=1)
    seconds = times / settings.fps
    rate = rng.uniform(0.4, 1.5, 2)
    sway = rng.uniform(0.5, 4.0, 2) * np.sin(
        2 * np.pi * rate * seconds[:, None] + rng.uniform(0, 2 * np.pi, 2)
    )
    pan = rng.normal(0.0, [18.0, 6.0]) * (seconds[:, None] - seconds.mean()) + sway
    light = np.array([rng.normal(0, 0.6), -1.0, rng.uniform(0.3, 1.3)])
    return (
        Camera(focal, pan, ground, light / np.linalg.norm(light), rng.uniform(0.45, 0.7)),
        distance,
    )


def _spots(
    settings: Embedded,
    count: int,
    crossing: bool,
    distance: float,
    focal: float,
    rng: np.random.Generator,
) -> list[_Spot]:
    """Places people apart from each other; if two shall cross, they meet in the picture."""
    across = (np.arange(count) + 0.5) / count + rng.normal(0, 0.06 / count, count)
    rng.shuffle(across)
    depth = distance + rng.uniform(-0.8, 0.8, count)
    drift = rng.normal(0, 0.15, count)
    if crossing:
        meeting = rng.uniform(0.3, 0.7)
        across[:2] = meeting + rng.normal(0, 0.03, 2)
        depth[1] = depth[0] + rng.choice([-1.0, 1.0]) * rng.uniform(0.55, 0.9)
        pace = rng.uniform(0.4, 1.2) * rng.choice([-1.0, 1.0])
        drift[:2] = pace, -pace
        if count > 2:  # the others make room
            free = [0.12, 0.88] if meeting < 0.5 else [0.88, 0.12]
            across[2:] = [free[1 - k % 2] for k in range(count - 2)]
    return [
        _Spot(float(x), float(y), float(pace), True)
        for x, y, pace in zip(across, depth, drift, strict=True)
    ]


def _person(
    settings: Embedded,
    clips: dict[str, Clip],
    bank: Bank,
    split: Split,
    name: str,
    spot: _Spot,
    camera: Camera,
    times: Array,
    rng: np.random.Generator,
) -> Person:
    first, count = bank.side(split)
    body = first + int(rng.integers(count))
    motion = _window(clips[name], settings, times, rng)
    mirrored = rng.random() < 0.5
    if split != "val":
        if rng.random() < settings.mixing:
            other = clips[str(rng.choice(settings.motions(split)))]
            motion = mix(motion, _window(other, settings, times, rng))
        motion = disturb(motion, times / settings.fps, settings.joint_noise, rng)
    if mirrored:
        motion = mirror(motion)
    heading = rng.normal(0, 0.75) if rng.random() < 0.8 else rng.uniform(-np.pi, np.pi)
    turn = np.array(
        [
            [np.cos(heading), -np.sin(heading), 0],
            [np.sin(heading), np.cos(heading), 0],
            [0, 0, 1],
        ]
    )
    rotations = turn @ world_rotations(motion)
    root = motion.root @ np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]]) @ turn.T
    root *= scale_of(bank, body)
    middle = root[len(root) // 2].copy()
    middle[2] = 0.0
    # `across` is a place in the picture, so a person further away stands further to the side.
    offset = (spot.across - 0.5) * settings.width / camera.focal * spot.depth
    distance = camera.ground[1, 3] + camera.ground[1, 2] * _HIP
    place = root - middle + np.array([offset, spot.depth - distance, 0.0])
    place[:, 0] += spot.drift * (times - times.mean()) / settings.fps
    posed = transforms(bank, body, rotations, place)
    seen = np.einsum("ab,tgbc->tgac", camera.ground[:, :3], posed)
    seen[..., 3] += camera.ground[:, 3]
    return Person(
        body=body,
        clip=name,
        look=int(rng.integers(2**31)),
        annotated=spot.annotated,
        transforms=seen,
        joints=joints(bank, body, seen),
    )


def _window(clip: Clip, settings: Embedded, times: Array, rng: np.random.Generator) -> Motion:
    """Samples a part of a clip, at a random speed and from a random start."""
    speed = rng.uniform(*settings.speed)
    seconds = speed * (times - times[0]) / settings.fps
    room = max(clip.duration - float(seconds[-1]), 0.0)
    return sample(clip, rng.uniform(0.0, room) + seconds)


def _occluders(
    settings: Embedded,
    people: list[Person],
    rate: float,
    times: Array,
    rng: np.random.Generator,
) -> tuple[Occluder, ...]:
    return tuple(
        _occluder(settings, person, times, rng)
        for person in people
        for _ in range(int(rng.poisson(rate)))
    )


def _occluder(
    settings: Embedded, person: Person, times: Array, rng: np.random.Generator
) -> Occluder:
    """Draws an occluder that is in front of a random joint at a random moment."""
    moment = int(rng.integers(len(times)))
    aim = person.joints[moment, int(rng.integers(person.joints.shape[1]))]
    shape = _shard(rng)
    velocity = np.zeros(3)
    if rng.random() < settings.occluders_moving:
        pace, way = rng.uniform(0.8, 3.0), rng.uniform(0, 2 * np.pi)
        velocity = pace * np.array([np.cos(way), 0.0, np.sin(way)])
    start = aim + np.array([0.0, -rng.uniform(0.45, 0.8), 0.0])
    path = start + velocity * (times - times[moment])[:, None] / settings.fps
    return Occluder(shape, path, _colours(len(shape), rng))


def _covers(
    settings: Embedded, people: list[Person], frames: int, times: Array, rng: np.random.Generator
) -> tuple[Occluder, ...]:
    """Draws what hides limbs for several frames."""
    # A scene of one frame has as many of them as one frame of a sequence.
    length = float(np.mean(settings.cover_frames))
    seen = length / (settings.frames + length) if frames == 1 else 1.0
    return tuple(
        _cover(settings, person, times, rng)._replace(covers=number)
        for number, person in enumerate(people)
        for _ in range(int(rng.poisson(settings.covers * seen)))
    )


def _cover(settings: Embedded, person: Person, times: Array, rng: np.random.Generator) -> Occluder:
    """Draws an occluder that stays in front of one joint of a limb for some frames."""
    limb = person.joints[:, int(rng.choice(_LIMBS))]
    shape = _shard(rng)
    # On the line from the camera to the joint, so that the joint is behind it from the start.
    path = limb * (1 - rng.uniform(0.45, 0.8) / limb[:, 1:2])
    length = rng.uniform(*settings.cover_frames)
    first = rng.uniform(times[0] - length, times[-1])
    path[(times < first) | (times > first + length)] = _AWAY
    return Occluder(shape, path, _colours(len(shape), rng))


def _shard(rng: np.random.Generator) -> Float[Array, "k 3"]:
    """Draws the outline of an occluder, m, about its centre."""
    corners = int(rng.integers(3, 6))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(0.1, 0.24) * rng.uniform(0.6, 1.0, corners)
    return np.stack([radius * np.cos(angles), np.zeros(corners), radius * np.sin(angles)], axis=1)


def _colours(corners: int, rng: np.random.Generator) -> Float[Array, "k 3"]:
    colour = rng.uniform(20, 235, 3)
    return np.clip(colour + rng.normal(0, 18, (corners, 3)), 0, 255)
