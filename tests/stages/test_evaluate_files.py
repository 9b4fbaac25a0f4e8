"""`tips evaluate` on files that no part of the pipeline made."""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nested import changed

from tips import __main__ as main
from tips import skeleton
from tips.config import ConfigError
from tips.messages import complaint
from tips.stages import evaluate_files

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared"))
CASES = sorted(path.parent for path in SHARED.glob("oracles/average-precision/*/expected.json"))
ABSENT = pytest.param(Path(), marks=pytest.mark.skip(reason="no shared material"))
KEYS = ("ap", "ap_mean", "precision", "recall", "columns", "n_gt", "n_pred", "n_tp")


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Runs the command line; its exit code."""
    monkeypatch.setattr(sys, "argv", ["tips", "evaluate", *map(str, words)])
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)
    try:
        main.app()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def person(track=0, x=10.0, score=0.5, **more):
    head = {"x1": [0], "y1": [0], "x2": [30], "y2": [40]}
    points = [{"id": [j], "x": [x + 20 * j], "y": [50.0], "score": [score]} for j in range(15)]
    return head | {"track_id": [track], "annopoints": [{"point": points}]} | more


def annolist(*frames):
    return {"annolist": [{"annorect": list(people)} for people in frames]}


def new_style(*people, frames=1):
    names = list(skeleton.SLOTS_17)
    return {
        "images": [
            {"id": f, "file_name": f"images/val/000001_bonn_test/{f:06d}.jpg"}
            for f in range(frames)
        ],
        "annotations": [
            {
                "image_id": 0,
                "track_id": track,
                "keypoints": [10.0, 20.0, 1] * 17,
                "bbox_head": [0, 0, 30, 40],
                "bbox": [0, 0, 50, 50],
            }
            | own
            for track, own in enumerate(people)
        ],
        "categories": [{"name": "person", "keypoints": names}],
    }


@pytest.fixture
def put(tmp_path):
    def run(truth, found, name="seq_1.json"):
        for folder, data in (("gt", truth), ("pred", found)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_text(json.dumps(data))
        return tmp_path / "gt", tmp_path / "pred"

    return run


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case.name)
def test_json_equals_the_oracles(case, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.json"
    assert command(monkeypatch, case / "gt", case / "pred", "--json", out) == 0
    text = out.read_text()
    ours, expected = json.loads(text), json.loads((case / "expected.json").read_text())
    assert set(ours) == {*KEYS, "switches"}
    assert "NaN" not in text
    ties = expected["ties"]
    for key in KEYS:
        if ties is not None and key in ("ap_mean", "columns"):
            continue
        want = (
            ties["ap_if_stable_descending"] if ties is not None and key == "ap" else expected[key]
        )
        if isinstance(want, dict):
            assert list(ours[key]) == sorted(want)
            got, want = list(ours[key].values()), [want[name] for name in sorted(want)]
        else:
            got = ours[key]
        np.testing.assert_allclose(
            np.array(got, dtype=np.float64), np.array(want, dtype=np.float64), rtol=0, atol=1e-9
        )
    assert f"{ours['ap_mean']:.2f}" in capsys.readouterr().out


def test_the_table_shows_columns_joints_and_counts(put, monkeypatch, capsys):
    assert command(monkeypatch, *put(annolist([person()]), annolist([person()]))) == 0
    shown = capsys.readouterr()
    for word in (*skeleton.COLUMNS, "Total", *skeleton.JOINTS, "precision", "recall", "n_pred"):
        assert word in shown.out
    assert shown.out.count("100.00") == 8 + 3 * 16
    assert "reading: 1 of 1" in shown.err


def test_csv_has_every_row_and_the_switches(put, tmp_path, monkeypatch):
    far = annolist([person(x=10 + 10.0)])  # 10 px: hit within 0.5 x 30 px
    gt, pred = put(annolist([person()]), far)
    out = tmp_path / "deep/out.csv"
    assert command(monkeypatch, gt, pred, "--csv", out, "--threshold", 0.3) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["part"] for row in rows] == [*skeleton.JOINTS, *skeleton.COLUMNS, "Total"]
    assert {row["ap"] for row in rows} == {"0.0"}
    assert {row["threshold"] for row in rows} == {"0.3"}
    assert rows[-1]["n_gt"] == "15"
    assert command(monkeypatch, gt, pred, "--csv", out, "--head-factor", 1.2) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert {row["ap"] for row in rows} == {"100.0"}
    assert {(row["head_factor"], row["rule"]) for row in rows} == {("1.2", "poseval")}


def test_nothing_is_written_over(put, tmp_path, monkeypatch, capsys):
    gt, pred = put(annolist([person()]), annolist([person()]))
    before = (pred / "seq_1.json").read_text()
    for options in (
        ("--json", pred / "seq_1.json"),
        ("--csv", gt / "seq_1.json"),
        ("--csv", tmp_path / "out", "--json", tmp_path / "out"),
    ):
        assert command(monkeypatch, gt, pred, *options) == 2
        line = capsys.readouterr().err.strip()
        assert str(options[-1]) in line
        assert line.endswith("; give another name")
    assert (pred / "seq_1.json").read_text() == before
    assert not (tmp_path / "out").exists()


def test_links_are_followed_and_devices_stay(put, tmp_path, monkeypatch):
    gt, pred = put(annolist([person()]), annolist([person()]))
    target, link = tmp_path / "elsewhere.json", tmp_path / "link.json"
    link.symlink_to(target)
    assert command(monkeypatch, gt, pred, "--json", link, "--csv", "/dev/null") == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["switches"]
    assert Path("/dev/null").is_char_device()
    assert command(monkeypatch, gt, pred, "--json", "/dev/full") == 2
    assert Path("/dev/full").is_char_device()


def test_without_people_there_is_nothing_to_score(put, monkeypatch, capsys):
    assert command(monkeypatch, *put(annolist([], []), annolist([], []))) == 2
    assert "no person in any frame that counts" in capsys.readouterr().err


HOSTILE = st.sampled_from(
    [None, True, -1, 0, 2**31, 10**25, 1e300, -1e300, "", "x", [], {}, [[]], [None], "\u202e", 0.5]
)


def places(value, at=()):
    """Lists the places of all values in nested ones."""
    if isinstance(value, dict):
        return [at, *(place for key in value for place in places(value[key], (*at, key)))]
    if isinstance(value, list):
        return [at, *(one for n, inner in enumerate(value) for one in places(inner, (*at, n)))]
    return [at]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(data=st.data())
@pytest.mark.filterwarnings("error")
def test_any_value_anywhere_is_scored_or_refused_in_one_line(put, tmp_path, data):
    sides = [data.draw(st.sampled_from([annolist([person(), person(1, 60)], []), new_style({})]))]
    sides += sides
    side = data.draw(st.sampled_from([0, 1]))
    place = data.draw(st.sampled_from(places(sides[side])))
    sides[side] = changed(sides[side], place, data.draw(HOSTILE))
    oks = data.draw(st.booleans())
    try:
        evaluate_files.run(*put(*sides), json=tmp_path / "out.json", oks=oks)
    except ValueError as error:
        if not complaint(error):  # a library's error, which would show as a traceback
            raise


def test_every_switch_is_recorded(put, tmp_path, monkeypatch):
    truth = new_style({})
    truth["images"][0] |= {"is_labeled": True, "ignore_regions_x": [], "ignore_regions_y": []}
    gt, pred = put(truth, new_style({"scores": [0.5] * 17}))
    words = ["--rule", "kit21", "--threshold", 0.4, "--head-factor", 0.7]
    more = ["--oks", "--sigmas", "mmpose", "--area-factor", 1.0]
    out = tmp_path / "out.json"
    assert command(monkeypatch, gt, pred, "--json", out, *words, *more) == 0
    data = json.loads(out.read_text())
    switches = data["switches"]
    assert switches["sigmas"][skeleton.INDEX["head_top"]] == 0.025
    assert {key: switches[key] for key in switches if key not in ("joints", "sigmas")} == {
        "rule": "kit21",
        "threshold": 0.4,
        "head_factor": 0.7,
        "ties": "file order",
        "area_factor": 1.0,
    }
    assert data["oks"]["coco"]["ap"] == pytest.approx(100)
    assert data["oks"]["mean"] == pytest.approx(100)
    assert data["oks"]["matching"] == "best"


def test_single_files_may_have_any_names(put, tmp_path, monkeypatch):
    gt, pred = put(new_style({}), annolist([person()]))
    (pred / "seq_1.json").rename(tmp_path / "mine.txt")
    assert command(monkeypatch, gt / "seq_1.json", tmp_path / "mine.txt") == 0


def test_what_is_no_mistake_passes_silently(put, monkeypatch, capsys, caplog):
    names = [*skeleton.SLOTS_17, "tail"]
    truth, found = new_style({}, {"track_id": 0}), new_style({}, {})
    for data in (truth, found):
        data["categories"][0]["keypoints"] = names
        for row in data["annotations"]:
            row["keypoints"] = [10.0, 20.0, 1] * 18
    for row in found["annotations"]:
        del row["track_id"]
        row["scores"] = [0.5] * 18
    assert command(monkeypatch, *put(truth, found)) == 0
    assert "error" not in capsys.readouterr().err
    assert not caplog.records


def test_odd_predictions_count_with_a_warning(put, tmp_path, caplog):
    lost = person(1, x=float("nan"))
    unsure = person(2, x=900.0, score=float("nan"))
    plain = person(3, x=2000.0)
    for point in plain["annopoints"][0]["point"][:2]:
        del point["score"]
    gt, pred = put(annolist([person()], [person()]), annolist([person()], [lost, unsure, plain]))
    evaluate_files.run(gt, pred, json=tmp_path / "out.json")
    assert [message.rpartition(", first")[0] for message in caplog.messages] == [
        "15 predicted joints without finite coordinates count as misses",
        "15 predicted joints with NaN for a score come first in the ranking",
        "2 predicted joints without a score get -9999",
    ]
    assert all(message.endswith("in seq_1, frame 1") for message in caplog.messages)
    data = json.loads((tmp_path / "out.json").read_text())
    assert data["n_pred"] == [4] * 15
    assert data["ap"] == pytest.approx([25.0] * 15)  # the hit comes second: NaN first; 1/2 of 1/2


BAD_TRUTH = annolist([person(), person(1, x=float("inf"))])
NO_LIST = annolist([{"annopoints": 3}])
SAME_TRACKS = new_style({}, {"track_id": 0})
TWO_VIDEOS = new_style({}, frames=2)
TWO_VIDEOS["images"][1]["file_name"] = "images/val/000002_bonn_test/000000.jpg"
NO_NOSE = new_style({})
NO_NOSE["categories"][0]["keypoints"][0] = "eye"


@pytest.mark.parametrize(
    ("truth", "found", "says"),
    [
        (
            new_style({}),
            new_style({}, {"track_id": 0}),
            "pred/seq_1.json: annotations[1]: track_id 0",
        ),
        (new_style({}), NO_NOSE, "pred/seq_1.json: categories[0].keypoints: no nose"),
        (NO_NOSE, new_style({}), "gt/seq_1.json: categories[0].keypoints: no nose"),
        (annolist([person()], []), annolist([person()]), "pred/seq_1.json: 1 frames where"),
        (TWO_VIDEOS, TWO_VIDEOS, "gt/seq_1.json: images[1]: images/val/000002_bonn_test"),
        (BAD_TRUTH, BAD_TRUTH, "gt/seq_1.json: annolist[0].annorect[1]: NaN, infinity"),
        (
            annolist([{"annopoints": 3}]),
            annolist([]),
            "gt/seq_1.json: annolist[0].annorect[0]: mal",
        ),
    ],
)
def test_malformed_files_end_with_code_2_and_one_line(put, monkeypatch, capsys, truth, found, says):
    assert command(monkeypatch, *put(truth, found)) == 2
    err = capsys.readouterr().err
    (line,) = [line for line in err.splitlines() if not line.startswith("reading")]
    assert line.startswith("error: ")
    assert says in line


def test_files_without_partner_and_no_json_end_with_code_2(put, monkeypatch, capsys):
    gt, pred = put(annolist([person()]), annolist([person()]))
    for folder, other in ((gt, "pred"), (pred, "gt")):
        (folder / "lonely.json").write_text("{}")
        assert command(monkeypatch, gt, pred) == 2
        assert f"{other}/lonely.json: no such file, the partner of" in capsys.readouterr().err
        (folder / "lonely.json").unlink()
    text = (pred / "seq_1.json").read_text()
    (pred / "seq_1.json").write_text(text[:-20])
    assert command(monkeypatch, gt, pred) == 2
    assert "pred/seq_1.json: not JSON at line 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("switch", "says"),
    [
        ({"rule": "coco"}, "--rule must be one of poseval, kit21; got 'coco'"),
        ({"sigmas": "x"}, "--sigmas must be one of pifpaf, mmpose; got 'x'"),
        ({"threshold": 0.0}, "--threshold must be a positive number; got 0"),
        ({"head_factor": float("nan")}, "--head-factor must be a positive number; got nan"),
        ({"area_factor": float("inf")}, "--area-factor must be a positive number; got inf"),
    ],
)
def test_refuses_impossible_switches(put, switch, says):
    with pytest.raises(ConfigError, match=says):
        evaluate_files.run(*put(annolist([person()]), annolist([person()])), **switch)


def test_against_tells_the_difference_in_table_csv_and_json(put, tmp_path, monkeypatch, capsys):
    for number in range(40):
        name = f"seq_{number:02d}.json"
        near, far = person(x=10 + number % 7), person(x=10 + 3 * (number % 9))
        gt, pred = put(annolist([person()]), annolist([near]), name)
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / name).write_text(json.dumps(annolist([far])))
    files = "--json", tmp_path / "out.json", "--csv", tmp_path / "out.csv"
    assert command(monkeypatch, gt, pred, "--against", tmp_path / "other", *files) == 0
    shown = capsys.readouterr().out
    alone = {}
    for folder in ("pred", "other"):
        assert command(monkeypatch, gt, tmp_path / folder, "--json", tmp_path / "one.json") == 0
        alone[folder] = json.loads((tmp_path / "one.json").read_text())
    told = json.loads((tmp_path / "out.json").read_text())
    assert {key: told[key] for key in alone["pred"]} == alone["pred"]
    total = told["against"]["scores"]["Total"]
    assert total["other"] == pytest.approx(alone["other"]["ap_mean"])
    apart = alone["pred"]["ap_mean"] - alone["other"]["ap_mean"]
    assert total["difference"] == pytest.approx(apart)
    assert total["low"] < apart < total["high"]
    assert "no variance between seeds" in told["against"]["intervals"]
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = {row["part"]: row for row in csv.DictReader(stream)}
    assert float(rows["Total"]["low"]) == pytest.approx(total["low"])
    assert rows["nose"]["difference"] == ""
    assert f"{apart:+.2f}" in shown
    assert f"[{total['low']:+.2f}, {total['high']:+.2f}]" in shown
    assert "no variance between seeds" in " ".join(shown.split())


def test_predictions_whose_images_are_of_another_sequence_are_warned_of(put, monkeypatch, caplog):
    gt, pred = put(new_style({}), new_style({}))
    assert command(monkeypatch, gt, pred) == 0
    assert "one sequence" not in caplog.text
    found = json.loads((pred / "seq_1.json").read_text())
    found["images"][0]["file_name"] = "elsewhere/000001_bonn_test/000000.jpg"  # the same sequence
    (pred / "seq_1.json").write_text(json.dumps(found))
    assert command(monkeypatch, gt, pred) == 0
    assert "one sequence" not in caplog.text
    found["images"][0]["file_name"] = "images/val/000002_mpii_test/000000.jpg"
    (pred / "seq_1.json").write_text(json.dumps(found))
    assert command(monkeypatch, gt / "seq_1.json", pred / "seq_1.json") == 0
    assert "000002_mpii_test" in caplog.text
    assert "one sequence" in caplog.text


def test_against_what_is_not_there_is_refused_by_its_option(put, monkeypatch, capsys):
    gt, pred = put(new_style({}), new_style({}))
    assert command(monkeypatch, gt, pred, "--against", pred / "nothing") == 2
    assert "--against" in capsys.readouterr().err


def test_against_few_sequences_the_interval_is_unknown(put, monkeypatch, capsys):
    gt, pred = put(annolist([person()]), annolist([person()]))
    assert command(monkeypatch, gt, pred, "--against", pred) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no intervals: 1 sequence, and they need 40" in shown
    assert "unknown" in shown


def test_a_run_s_folder_is_told_how_to_be_compared(put, tmp_path, monkeypatch, capsys):
    gt, pred = put(annolist([person()]), annolist([person()]))
    run = tmp_path / "seed-2"
    run.mkdir()
    (run / "predictions.json").write_text("{}")
    assert command(monkeypatch, gt, pred, "--against", run) == 2
    assert "tips stage export --variant NAME --seed N --scale SCALE" in capsys.readouterr().err
    (run / "provenance.json").write_text('{"variant": "tips", "seed": 2, "scale": "desk"}')
    assert command(monkeypatch, gt, run) == 2
    said = capsys.readouterr().err
    assert "tips stage export --variant tips --seed 2 --scale desk --out FOLDER, then give" in said
    assert said.count("\n") == 1
    put(annolist([person()]), annolist([person()]), "predictions.json")  # of a sequence so called
    assert command(monkeypatch, gt, pred) == 0
