import json
from pathlib import Path

from tips.instances import Key
from tips.pictures.faults import COVERED, Damaged, varied


def key(frame: int, track: int = 0) -> Key:
    return Key("val", "a", frame, 3, (0, 0, 1, 1), None, track, 1.0)


def test_damage_is_that_of_the_frame_and_of_the_person(tmp_path: Path) -> None:
    people = [{"track": 0, "covered": [False, True, True]}, {"track": 1}]
    truth = {"faults": ["none", "none", "shake"], "people": people}
    (tmp_path / "a.json").write_text(json.dumps(truth))
    damaged = Damaged(tmp_path)
    assert [damaged.of(key(0), frame) for frame in range(3)] == [[], [COVERED], ["shake", COVERED]]
    assert [damaged.of(key(0, 1), frame) for frame in range(3)] == [[], [], ["shake"]]
    assert Damaged(tmp_path / "none").of(key(0), 2) == []  # a dataset that nobody rendered


def test_every_kind_of_damage_is_shown_if_there_is_room() -> None:
    keys = [key(frame) for frame in range(30)]
    kinds = [frozenset[str]()] * 30
    kinds[3], kinds[11], kinds[20] = (frozenset({word}) for word in ("shake", "defocus", COVERED))
    for seed in range(5):
        frames = [one.frame for one in varied(keys, kinds, 4, seed)]
        assert {3, 11, 20} < {*frames}
        assert frames == sorted(frames)
    assert len({tuple(one.frame for one in varied(keys, kinds, 4, seed)) for seed in range(5)}) > 1
    assert len(varied(keys[:2], kinds[:2], 4, 0)) == 2
