"""A guest's folder: numbers as the real poseval printed them, and one line for what is wrong."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tips import records, skeleton
from tips.evaluation.average_precision import average_precision, total
from tips.evaluation.guest_files import check_form, digest_of, open_guest, read_guest
from tips.evaluation.matching import match
from tips.evaluation.people import from_records
from tips.evaluation.poseval_files import write_found
from tips.evaluation.poseval_reader import parsed, side_of
from tips.records import Annotations, Frame, FramePoses, Person, Pose, Predictions, RecordError
from tips.records import SequencePredictions as Found

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared"))
CASES = sorted(path.parent for path in SHARED.glob("oracles/average-precision/*/expected.json"))
ABSENT = pytest.param(Path(), marks=pytest.mark.skip(reason="no shared material"))
FRAMES = 3
YAML = "experiments/guests/mine.yaml"


def points(joints: np.ndarray) -> tuple[tuple[float, float] | None, ...]:
    return tuple(None if np.isnan(p).any() else (float(p[0]), float(p[1])) for p in joints)


def as_annotations(folder: Path) -> Annotations:
    """The truth of an oracle, as if a study had read it."""
    sequences = []
    for path in sorted(folder.glob("*.json")):
        side = side_of(parsed(path), path, predicted=False)
        frames = []
        for place, ignore in enumerate(side.ignore):
            people = [
                Person(
                    track=row,
                    box=(0, 0, 10, 10),
                    head=(x, y, right - x, down - y),
                    joints=points(side.joints[row]),
                )
                for row in range(side.starts[place], side.starts[place + 1])
                for x, y, right, down in [side.heads.values[row].tolist()]
            ]
            rings = tuple(tuple(map(tuple, ring.tolist())) for ring in ignore or ())
            file = f"images/{path.stem}/{place:08d}.jpg"
            frames.append(
                Frame(file=file, id=place, labelled=True, ignore=rings, people=tuple(people))
            )
        sequences.append(
            records.Sequence(
                name=path.stem, width=999, height=999, motion=path.stem, frames=tuple(frames)
            )
        )
    return Annotations(dataset="oracle", split="val", root=".", sequences=tuple(sequences))


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case.name)
def test_scores_equal_those_of_the_real_evaluator(case: Path, tmp_path: Path) -> None:
    """The oracle's predictions as a guest: read, written in the study's form, and read back."""
    expected = json.loads((case / "expected.json").read_text())
    truth = unnamed(case, tmp_path)
    guest = read_guest("mine", open_guest(tmp_path / "pred", YAML), truth)
    records.write(guest, tmp_path / "predictions.json")
    found = records.read(Predictions, tmp_path / "predictions.json")
    scores = average_precision(match(from_records(truth, found)))
    assert scores.n_found.tolist() == expected["n_pred"]
    assert scores.n_hit.tolist() == expected["n_tp"]
    ties = expected["ties"]
    wanted = expected["ap"] if ties is None else ties["ap_if_stable_descending"]
    wanted = np.array([np.nan if value is None else value for value in wanted], dtype=np.float64)
    np.testing.assert_allclose(scores.ap, wanted, rtol=0, atol=1e-9, equal_nan=True)
    if ties is None:
        assert float(total(scores.ap)) == pytest.approx(expected["ap_mean"], abs=1e-9)


def unnamed(case: Path, folder: Path) -> Annotations:
    """Copies the predictions; images are named and numbered as those of the truth."""
    truth = as_annotations(case / "gt")
    (folder / "pred").mkdir()
    for sequence in truth.sequences:
        data = json.loads((case / "pred" / f"{sequence.name}.json").read_text())
        for place, frame in enumerate(sequence.frames):
            if "annolist" in data:
                data["annolist"][place]["image"] = [{"name": frame.file}]
            else:
                folder_name = Path(data["images"][place]["file_name"]).parent
                data["images"][place]["file_name"] = f"{folder_name}/{Path(frame.file).name}"
        (folder / "pred" / f"{sequence.name}.json").write_text(json.dumps(data))
    return truth


def truth(names: tuple[str, ...] = ("walk_1", "walk_2")) -> Annotations:
    generator = np.random.default_rng(0)
    sequences = tuple(
        records.Sequence(
            name=name,
            width=200,
            height=200,
            motion="walk",
            frames=tuple(
                Frame(
                    file=f"images/val/{name}/{k:06d}.jpg",
                    id=100 + k,
                    labelled=k > 0,
                    people=(
                        Person(
                            track=4,
                            box=(0, 0, 200, 200),
                            head=(0, 0, 12, 16),
                            joints=points(generator.uniform(20, 180, (15, 2))),
                        ),
                    )
                    if k > 0
                    else (),
                )
                for k in range(FRAMES)
            ),
        )
        for name in names
    )
    return Annotations(dataset="people", split="val", root=".", sequences=sequences)


def guessed(annotations: Annotations) -> Predictions:
    sequences = tuple(
        Found(
            name=sequence.name,
            frames=tuple(
                FramePoses(
                    frame=place,
                    poses=tuple(
                        Pose(track=0, score=0.5, joints=one.joints, scores=(0.7,) * skeleton.COUNT)
                        for one in frame.people
                    ),
                )
                for place, frame in enumerate(sequence.frames)
            ),
        )
        for sequence in annotations.sequences
    )
    return Predictions(variant="mine", seed=0, boxes="gt", sequences=sequences)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A guest that knows the truth."""
    write_found(guessed(truth()), truth(), tmp_path / "json")
    return tmp_path / "json"


def refusal(folder: Path, annotations: Annotations | None = None) -> str:
    with pytest.raises(RecordError) as refused:
        read_guest("mine", open_guest(folder, YAML), annotations or truth())
    message = str(refused.value)
    assert "\n" not in message
    return message


def edit(file: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    found = read_guest("mine", open_guest(folder, YAML), truth())
    wanted = guessed(truth())
    for ours, theirs in zip(found.sequences, wanted.sequences, strict=True):
        assert ours.name == theirs.name
        assert [one.frame for one in ours.frames] == [1, 2]  # the labelled ones
        assert ours.frames == theirs.frames[1:]
    check_form(open_guest(folder, YAML))


def test_boxes_need_be_nobodys_and_a_pose_without_joints_is_nobody(folder: Path) -> None:
    def more(data: Any) -> None:
        first = data["annotations"][1]
        stranger = first | {"id": 90, "track_id": 77, "keypoints": [5.0, 6.0, 1.0] * 17}
        nobody = first | {"id": 91, "track_id": 78, "keypoints": [0.0] * 51}
        for one in (stranger, nobody):
            one.pop("score"), one.pop("scores")
            data["annotations"].append(one)

    edit(folder / "walk_1.json", more)
    found = read_guest("mine", open_guest(folder, YAML), truth())
    frame = found.sequences[0].frames[0]
    assert [pose.track for pose in frame.poses] == [0, 77]
    scores = average_precision(match(from_records(truth(), found)))
    assert scores.n_found.tolist() == [5] * 15


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda d: [d["images"].pop(), d["annotations"].pop()],
            "walk_1.json: 2 frames where walk_1 has 3; write every",
        ),
        (
            lambda d: [
                d["images"][0].update(id=7, file_name="images/val/000000_bonn_test/000009.jpg"),
                d["annotations"].pop(0),
            ],
            "walk_1.json: frame 0 is '000009.jpg', where walk_1 has 000000.jpg with id 100",
        ),
        (
            lambda d: [
                d["images"].reverse(),
                [i.update(file_name=f"a/000001_bonn/{n}.png") for n, i in enumerate(d["images"])],
            ],
            "walk_1.json: frame 0 is '0.png', where walk_1 has 000000.jpg with id 100",
        ),
        (
            lambda d: d["categories"][0]["keypoints"].__setitem__(0, "left_eye"),
            "walk_1.json: categories[0].keypoints: no nose; all 15 joints must be there",
        ),
        (
            lambda d: d["annotations"][1]["keypoints"].__setitem__(0, float("nan")),
            "walk_1.json: annotations[1]: NaN or infinity for a joint or its score",
        ),
        (
            lambda d: d["annotations"][1]["scores"].__setitem__(0, float("inf")),
            "walk_1.json: annotations[1]: NaN or infinity for a joint or its score",
        ),
        (
            lambda d: d["annotations"].append(d["annotations"][1]),
            "track_id 0 occurs twice in images[1]",
        ),
    ],
)
def test_a_bad_record_is_named(folder: Path, change: Callable[[Any], None], says: str) -> None:
    edit(folder / "walk_1.json", change)
    assert says in refusal(folder)


def test_a_bad_folder_is_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(folder)
    for name, says in (
        ("gone", "gone: no such folder; mend its name, or list under `scales`"),
        ("empty", "empty: no *.json here"),
        ("link", "link: is a link; name the folder that it leads to"),
    ):
        message = refusal(tmp_path / name)
        assert message.startswith(f"{YAML}: ")
        assert says in message
    one = folder / "walk_2.json"
    one.rename(tmp_path / "kept.json")
    assert "no file walk_2.json, a sequence of people val; predict every" in refusal(folder)
    one.symlink_to(tmp_path / "kept.json")
    assert "walk_2.json: is a link; put the file itself there" in refusal(folder)
    one.unlink()
    one.write_text("{")
    assert "walk_2.json: not JSON at" in refusal(folder)
    one.write_text("[]")
    assert "walk_2.json: holds a list; a sequence is a json object" in refusal(folder)
    assert "walk_1.json (and 1 more): no sequence of people val has this name" in refusal(
        folder, truth(())
    )


def test_a_digest_changes_with_names_and_contents_alone(folder: Path) -> None:
    before = digest_of(open_guest(folder, YAML))
    (folder / "walk_1.json").touch()
    (folder / ".hidden.json").write_text("an editor's")
    assert digest_of(open_guest(folder, YAML)) == before
    (folder / "walk_1.json").rename(folder / "walk_3.json")
    renamed = digest_of(open_guest(folder, YAML))
    (folder / "walk_3.json").rename(folder / "walk_1.json")
    edit(folder / "walk_1.json", lambda data: data["annotations"][1].update(score=0.4))
    assert len({before, renamed, digest_of(open_guest(folder, YAML))}) == 3
