"""The embedded dataset's truth files: the true place of every joint, in labelled frames and not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tips import skeleton
from tips.evaluation.average_precision import Subset, frame_subset
from tips.evaluation.people import Bools, Clip, Floats
from tips.records import RecordError, read_json

Array = TypeVar("Array", Bools, Floats)


class TruePerson(NamedTuple):
    """One person of one sequence."""

    joints: Floats  # (T, 15, 2) image px; NaN where the person is not in the scene
    between: dict[float, Floats]  # s -> (T-1, 15, 2), the joints at time w + s
    visible: Bools  # (T, 15) False where the person, another person or an occluder hides it


class TrueMotion(NamedTuple):
    """The true motion of one sequence."""

    people: dict[int, TruePerson]  # by track
    degraded: Bools  # (T,) whether the frame is degraded


def read_true_motion(file: Path) -> TrueMotion:
    """Reads one truth file: degraded[T] and people[].{track, first, joints, visible, between}.

    Raises:
        RecordError: if the file does not hold these, their lengths differ, or a track repeats.
    """
    data = read_json(file)
    people: dict[int, TruePerson] = {}
    with _naming(str(file)):
        degraded = np.array(data["degraded"], dtype=np.bool_).reshape(-1)
        for index, person in enumerate(data["people"]):
            where = f"{file}: people[{index}]"
            with _naming(where):
                if person["track"] in people:
                    raise RecordError(f"{where}: track {person['track']} repeats")
                people[int(person["track"])] = _person(person, len(degraded), where)
    return TrueMotion(people, degraded)


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except RecordError:
        raise
    except KeyError as error:
        raise RecordError(f"{where}: no {error.args[0]!r}; render the dataset anew") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where}: malformed ({error}); render the dataset anew") from error


def _person(person: Mapping[str, Any], frames: int, where: str) -> TruePerson:
    """Reads one person, whose lists begin at frame `first`; before and after there are none."""
    first, own = int(person["first"]), len(person["joints"])
    if first < 0 or first + own > frames:
        raise RecordError(f"{where}: frames {first} to {first + own - 1} of {frames}")
    visible = np.zeros((frames, skeleton.COUNT), dtype=np.bool_)
    visible[first : first + own] = _shaped(
        np.array(person["visible"], dtype=np.bool_), (own, skeleton.COUNT), f"{where}.visible"
    )
    joints = np.full((frames, skeleton.COUNT, 2), np.nan)
    joints[first : first + own] = _joints(person["joints"], own, f"{where}.joints")
    between = {}
    for time, values in person["between"].items():
        steps = max(own - 1, 0)
        path = np.full((max(frames - 1, 0), skeleton.COUNT, 2), np.nan)
        path[first : first + steps] = _joints(values, steps, f"{where}.between[{time}]")
        between[float(time)] = path
    return TruePerson(joints, between, visible)


def _joints(values: Any, frames: int, where: str) -> Floats:
    rows = [[(np.nan, np.nan) if point is None else point for point in row] for row in values]
    array = np.array(rows, dtype=np.float64)
    return _shaped(
        array if rows else array.reshape(0, skeleton.COUNT, 2), (frames, skeleton.COUNT, 2), where
    )


def _shaped(array: Array, shape: tuple[int, ...], where: str) -> Array:
    if array.shape != shape:
        raise RecordError(f"{where}: needs {shape}; got {array.shape}; render the dataset anew")
    return array


def degraded_frames(clips: Sequence[Clip], truth: Mapping[str, TrueMotion]) -> Subset:
    """Makes the subset of the counted frames that were degraded."""
    return frame_subset(clips, _degraded(clips, truth))


def clean_frames(clips: Sequence[Clip], truth: Mapping[str, TrueMotion]) -> Subset:
    """Makes the subset of the counted frames that were not degraded."""
    return frame_subset(clips, [~mask for mask in _degraded(clips, truth)])


def _degraded(clips: Sequence[Clip], truth: Mapping[str, TrueMotion]) -> list[Bools]:
    return [_motion(clip, truth).degraded[list(clip.positions)] for clip in clips]


def hidden_joints(clips: Sequence[Clip], truth: Mapping[str, TrueMotion]) -> Subset:
    """Makes the subset of the annotated joints that the camera cannot see in counted frames."""
    return Subset(tuple(_hidden(clip, _motion(clip, truth)) for clip in clips), None)


def _hidden(clip: Clip, motion: TrueMotion) -> tuple[Bools, ...]:
    masks = []
    for position, frame in zip(clip.positions, clip.truth, strict=True):
        unknown = [track for track in frame.tracks if track not in motion.people]
        if unknown:
            raise RecordError(
                f"{clip.name}, frame {position}: no true motion of track {unknown[0]}; render the "
                "dataset anew"
            )
        rows = [~motion.people[track].visible[position] for track in frame.tracks]
        masks.append(np.array(rows, dtype=np.bool_).reshape(-1, skeleton.COUNT))
    return tuple(masks)


def _motion(clip: Clip, truth: Mapping[str, TrueMotion]) -> TrueMotion:
    if clip.name not in truth:
        raise RecordError(f"no true motion of sequence {clip.name}; only rendered data has it")
    motion = truth[clip.name]
    if clip.positions and clip.positions[-1] >= len(motion.degraded):
        raise RecordError(
            f"{clip.name}: true motion of {len(motion.degraded)} frames, but frame "
            f"{clip.positions[-1]} is annotated; render the dataset anew"
        )
    return motion
