import json

import pytest
from studies import study_of

from tips.config import ConfigError
from tips.data import posetrack
from tips.mocap.write import sequence_name
from tips.reporting.dataset_card import sections
from tips.stages import render
from tips.tables.sources import Counted


@pytest.fixture
def settings(small, tmp_path):
    path = tmp_path / "settings.json"

    def write(**changes):
        path.write_text(small.model_copy(update=changes).model_dump_json())
        return path

    return write


def render_all(split, shards, root, motions, bank_file, settings):
    entries = {}
    for shard in range(shards):
        out = root / f"shards/{split}-{shard}.json"
        render.run(split, shard, out, root, bank_file, motions, settings)
        value = json.loads(out.read_text())
        entries |= {entry["name"]: entry for entry in value["sequences"]}
    return entries


def test_the_number_of_shards_changes_no_byte(small, settings, tmp_path, motions, bank_file):
    roots = tmp_path / "one", tmp_path / "three"
    found = []
    for count, root in zip((1, 3), roots, strict=True):
        shards = {"train": count, "val": 1, "stills": 1}
        found.append(render_all("train", count, root, motions, bank_file, settings(shards=shards)))
    assert found[0] == found[1]
    assert sorted(found[0]) == [sequence_name("train", index) for index in range(small.train)]
    for path in (roots[0] / "images").rglob("*.jpg"):
        assert path.read_bytes() == (roots[1] / path.relative_to(roots[0])).read_bytes()


def test_a_smaller_data_set_leaves_nothing_behind(settings, tmp_path, motions, bank_file):
    arguments = (tmp_path, motions, bank_file)
    render_all("val", 1, *arguments, settings(val=2))
    render_all("val", 1, *arguments, settings(val=1))
    for folder in ("images", "between", "annotations", "truth"):
        assert [p.stem for p in (tmp_path / folder / "val").iterdir()] == ["300000_mpii_val"]


def test_what_a_kill_left_half_written_stops_nothing(small, settings, tmp_path, motions, bank_file):
    arguments = (tmp_path, motions, bank_file, settings(val=1))
    whole = render_all("val", 1, *arguments)
    for file in (tmp_path / "annotations").rglob("*.json"):
        file.with_name(f".{file.stem}.30000.json").write_text('{"ima')
    assert render_all("val", 1, *arguments) == whole
    assert len(posetrack.read_split(tmp_path, "annotations", "val", "rendered").sequences) == 1


def test_refuses_a_shard_that_does_not_exist(settings, tmp_path, motions, bank_file):
    with pytest.raises(ValueError, match=r"0\.\.1"):
        render.run("train", 2, tmp_path / "o.json", tmp_path, bank_file, motions, settings())


def test_refuses_unknown_settings_in_one_line(tmp_path, motions, bank_file):
    path = tmp_path / "s.yaml"
    path.write_text("framess: 3\n")
    with pytest.raises(ConfigError, match="framess") as caught:
        render.run("train", 0, tmp_path / "o.json", tmp_path, bank_file, motions, path)
    assert "\n" not in str(caught.value)


def test_the_dataset_card_tells_what_is_rendered(small, settings, tmp_path, motions, bank_file):
    changes = {"val": 2, "stills": 5, "stills_per_sequence": 2}
    arguments = (tmp_path, motions, bank_file, settings(**changes))
    counts = {}
    for split in ("train", "val", "stills"):
        render_all(split, small.shards[split], *arguments)
        read = posetrack.read_split(tmp_path, "annotations", split, "rendered")
        frames = [frame for sequence in read.sequences for frame in sequence.frames]
        labelled = [frame for frame in frames if frame.labelled]
        counts[split] = Counted(
            sequences=len(read.sequences),
            frames=len(frames),
            labelled_frames=len(labelled),
            people=sum(len(frame.people) for frame in labelled),
            joints=0,
        )
    smoke = study_of("smoke").scale
    dataset = smoke.dataset.model_copy(update={"embedded": small.model_copy(update=changes)})
    scale = smoke.model_copy(update={"dataset": dataset})
    told = dict(sections(scale, counts))[
        "Splits"
    ]  # it refuses counts that the settings do not make
    assert f"| stills | 3 | 5 | 5 | {counts['stills'].people} |" in told
