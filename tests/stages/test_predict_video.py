"""`tips predict` on a tiny trained study: what the DAG's stage says, in little memory."""

import json
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny_study
import torch
from trained import VARIANTS, paths, video

from tips import provenance, records, skeleton
from tips.config import ConfigError
from tips.evaluation.poseval_reader import read_folders
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.records import Predictions
from tips.stages import predict_video
from tips.video.clip import Clip, open_clip

pytestmark = pytest.mark.slow
CLIP = "000001_bonn_val"
TRUTH = f"{tiny_study.ROOT}/annotations/val/{CLIP}.json"


def people(file: Path) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in json.loads(file.read_text())["annotations"]:
        found.setdefault(row["image_id"], []).append(row)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_says_what_the_dag_says(
    variant: str, study: Path, moved: Callable[[str], Path], tmp_path: Path
) -> None:
    stage = records.read(Predictions, paths().predictions(variant, "0", "gt").resolve())
    wanted = next(sequence for sequence in stage.sequences if sequence.name == CLIP)
    frames = study / tiny_study.ROOT / "images/val" / CLIP
    predict_video.run(frames, moved(variant), boxes=study / TRUTH, out=tmp_path / "out")
    found = people(tmp_path / "out" / f"{CLIP}.json")
    assert sorted(found) == list(range(tiny_study.FRAMES))
    places = [skeleton.SLOTS_17.index(name) for name in skeleton.JOINTS]
    assert [frame.frame for frame in wanted.frames] == list(range(1, tiny_study.FRAMES))
    for frame in wanted.frames:
        assert [row["track_id"] for row in found[frame.frame]] == [p.track for p in frame.poses]
        for row, pose in zip(found[frame.frame], frame.poses, strict=True):
            joints = np.array(row["keypoints"]).reshape(-1, 3)[places]
            np.testing.assert_allclose(joints[:, :2], pose.joints, atol=1e-4, rtol=0)
            scores = np.array(row["scores"])[places]
            np.testing.assert_allclose(scores, pose.scores, atol=1e-5, rtol=0)


def test_the_outputs_are_whole(study: Path, moved: Callable[[str], Path], tmp_path: Path) -> None:
    frames = study / tiny_study.ROOT / "images/val" / CLIP
    out = tmp_path / "out"
    predict_video.run(frames, moved("hrnet"), boxes=study / TRUTH, out=out)
    assert sorted(file.name for file in out.iterdir()) == [f"{CLIP}-overlay.mp4", f"{CLIP}.json"]
    overlay = open_clip(out / f"{CLIP}-overlay.mp4")
    assert (len(overlay.files), overlay.width, overlay.height) == (6, 64, 48)
    clip = read_folders(study / TRUTH, out / f"{CLIP}.json")[0]
    assert [len(frame.joints) for frame in clip.found] == [2] * 6
    assert all(np.isfinite(frame.joints).all() for frame in clip.found)
    # What it writes it also takes, boxes and tracks.
    again = tmp_path / "again"
    predict_video.run(frames, tmp_path / "elsewhere/hrnet", boxes=out / f"{CLIP}.json", out=again)
    assert (again / f"{CLIP}.json").read_text() == (out / f"{CLIP}.json").read_text()


def test_without_boxes_the_frame_is_one_person(
    moved: Callable[[str], Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predict_video.run(video(tmp_path / "a.mp4", 5), moved("tips"), out=tmp_path)
    said = "no --boxes and no --detector: every whole frame is taken as the box of one person"
    assert caplog.text.count(said) == 1
    found = people(tmp_path / "a.json")
    assert [[row["track_id"] for row in rows] for rows in found.values()] == [[0]] * 5
    assert all(row["bbox"] == [0, 0, 64, 48] for rows in found.values() for row in rows)
    captured = capsys.readouterr()
    assert captured.out.split() == [str(tmp_path / "a.json"), str(tmp_path / "a-overlay.mp4")]
    assert "a: 5 of 5, 0 s left" in captured.err


def test_a_detector_s_people_are_linked(
    moved: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fake(torch.nn.Module):
        """Sees a person who walks, a faint one, and from the third frame on another one first."""

        calls = 0

        def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
            k = self.calls
            self.calls += 1
            rows = [[10.0 + k, 5, 30 + k, 45], [0, 0, 9, 9]]
            rows = [[40.0, 5, 60, 45], *rows] if k > 1 else rows
            scores = [0.9] * (len(rows) - 1) + [0.1]
            labels = torch.ones(len(rows), dtype=torch.int64)
            return [{"boxes": torch.tensor(rows), "scores": torch.tensor(scores), "labels": labels}]

    monkeypatch.setattr(predict_video, "load_detector", lambda path: Fake())
    weights = tmp_path / "w.pth"
    weights.touch()
    predict_video.run(video(tmp_path / "a.mp4", 4), moved("hrnet"), detector=weights, out=tmp_path)
    found = people(tmp_path / "a.json")
    tracks = [[row["track_id"] for row in rows] for rows in found.values()]
    assert tracks == [[0], [0], [1, 0], [1, 0]]
    assert found[1][0]["bbox"] == [11, 5, 20, 40]


def test_a_frame_without_people_is_written(moved: Callable[[str], Path], tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 1, "bbox": [5, 5, 20, 30], "score": 1}]))
    predict_video.run(video(tmp_path / "a.mp4", 3), moved("tips"), boxes=boxes, out=tmp_path)
    found = people(tmp_path / "a.json")
    assert [any(rows[0]["keypoints"]) for rows in found.values()] == [False, True, False]
    assert open_clip(tmp_path / "a-overlay.mp4").files[2:] == ("a-overlay/000002.jpg",)


def test_frames_in_memory_do_not_grow_with_the_video(
    moved: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = moved("tips")

    def most(count: int) -> int:
        alive: weakref.WeakSet[Any] = weakref.WeakSet()
        highest = 0

        class Frame:
            """What can be in a set, unlike an array; it lives as long as its array does."""

        class Owner(np.ndarray):
            frame: Frame

        def counted(clip: Clip) -> Iterator[np.ndarray]:
            nonlocal highest
            for image in clip.frames():
                owner = image.view(Owner)
                owner.frame = Frame()
                alive.add(owner.frame)
                highest = max(highest, len(alive))
                yield owner
                del owner

        clip = open_clip(video(tmp_path / f"{count}.mp4", count))
        monkeypatch.setattr(
            predict_video, "open_clip", lambda path: clip._replace(frames=lambda: counted(clip))
        )
        predict_video.run(clip.path, run, out=tmp_path)
        return highest

    # Five of the window, `before` and `after`.
    assert most(40) == most(12) == 7


@pytest.fixture
def tips_predict(
    moved: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the verb on a good video and run, each word replaceable; returns code and errors."""
    run = moved("hrnet")
    shown = video(tmp_path / "a.mp4", 3)

    def call(video: Path = shown, checkpoint: Path = run, **options: object) -> tuple[int, str]:
        words = [f"--{name}={value}" for name, value in options.items()]
        code = tiny_study.command("predict", str(video), f"--checkpoint={checkpoint}", *words)
        lines = capfd.readouterr().err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == (code != 0), lines
        return code, errors[0] if errors else ""

    return call


def spoiled(run: Path, target: Path, **changes: Any) -> Path:
    """A copy of a run with another record."""
    shutil.copytree(run, target)
    record = json.loads((target / "provenance.json").read_text())
    (target / "provenance.json").write_text(json.dumps(record | changes))
    return target


def test_mistakes_are_one_line_and_leave_nothing(
    tips_predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    run = tmp_path / "elsewhere/hrnet"
    (tmp_path / "bad.mp4").write_text("no video")
    (tmp_path / "bad.json").write_text('[{"image_id": 0, "bbox": [1, 2, "x", 4], "score": 1}]')
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.json").write_text('[{"image_id": 0, "bbox": [1, 2, 3, 4], "score": 1}]')
    (tmp_path / "empty").mkdir()
    record = json.loads((run / "provenance.json").read_text())
    config = record["config"]
    jhmdb = spoiled(run, tmp_path / "jhmdb", joints=skeleton.JHMDB.joints)
    unknown = spoiled(run, tmp_path / "unknown", config=config | {"depth": 3})
    wide = spoiled(run, tmp_path / "wide", config=config | {"window": [0, 2]})
    other = config | {"backbone": config["backbone"] | {"arch": None, "name": "hrnet_w18_small"}}
    other = spoiled(run, tmp_path / "other", config=other)
    torn = spoiled(run, tmp_path / "torn")
    (torn / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:1000])
    no_record = spoiled(run, tmp_path / "no-record")
    (no_record / "provenance.json").unlink()
    out = tmp_path / "out"
    cases: list[tuple[dict[str, object], str]] = [
        ({"video": tmp_path / "gone.mp4"}, "gone.mp4: no such video or folder"),
        ({"video": tmp_path / "bad.mp4"}, "bad.mp4: not a video that OpenCV reads"),
        ({"video": tmp_path / "empty"}, "empty: no frame in it"),
        ({"checkpoint": tmp_path / "gone"}, "gone: no checkpoint.pt in it; --checkpoint takes"),
        ({"checkpoint": run / "checkpoint.pt"}, "no checkpoint.pt in it; --checkpoint takes"),
        ({"checkpoint": no_record}, "no provenance.json in it; --checkpoint takes the folder"),
        ({"checkpoint": jhmdb}, "trained on other joints (neck, belly, face, ...)"),
        ({"checkpoint": unknown}, "config.depth: Extra inputs are not permitted"),
        ({"checkpoint": wide}, "config.window: window must be consecutive"),
        (
            {"checkpoint": other},
            "key 'backbone.net.stage2.0.branches.0.1.conv1.weight' is missing",
        ),
        ({"checkpoint": torn}, "checkpoint.pt: not a complete checkpoint"),
        ({"boxes": tmp_path / "gone.json"}, "gone.json: no such file of boxes"),
        ({"boxes": tmp_path / "bad.json"}, "bad.json: record 0.bbox.2: Input should be a valid"),
        ({"detector": tmp_path / "gone.pth"}, "gone.pth: no such checkpoint"),
        *(({"threshold": one}, "--threshold must lie in 0 to 1") for one in (-1, 2, "nan", "inf")),
        ({"boxes": "b.json", "detector": "d.pth"}, "give --boxes or --detector, not both"),
        ({"boxes": mine / "a.json", "out": mine}, "a.json: would be written over; give"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda; got 'tpu'"),
    ]
    for options, says in cases:
        code, line = tips_predict(**({"out": out} | options))
        assert (code, says in line) == (2, True), (options, line)
        assert not out.exists(), options


def test_a_frame_that_breaks_off_leaves_nothing(
    tips_predict: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for k in range(4):
        cv2.imwrite(str(frames / f"{k}.jpg"), np.full((48, 64, 3), 9, np.uint8))
    (frames / "3.jpg").write_bytes((frames / "3.jpg").read_bytes()[:200])
    code, line = tips_predict(video=frames, out=tmp_path / "out")
    assert (code, "3.jpg: not a readable image" in line) == (2, True)
    assert not (tmp_path / "out").exists()


def test_it_works(tips_predict: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert tips_predict(out=tmp_path / "out", threads=1) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_interim_frames_that_no_video_has_are_a_line(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    run = moved("tips")
    config = json.loads((run / "provenance.json").read_text())["config"]
    true = spoiled(run, tmp_path / "true", config=config | {"interim": "true"})
    with pytest.raises(records.RecordError, match="interim frames are 'true' ones, which no video"):
        predict_video.run(video(tmp_path / "a.mp4", 3), true, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_does_not_say_how_it_is_decoded_is_taken_as_the_paper_s(
    moved: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = moved("tips")
    record = json.loads((run / "provenance.json").read_text())
    for key in ("joints", "groups", "evaluation", "interpolator"):
        del record[key]
    (run / "provenance.json").write_text(json.dumps(record))
    predict_video.run(video(tmp_path / "a.mp4", 3), run, out=tmp_path)
    assert "does not say how its poses are decoded: taken as at the paper's scale" in caplog.text
    assert len(people(tmp_path / "a.json")) == 3


def test_groups_of_the_data_come_from_the_record(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    run = moved("tips")
    config = json.loads((run / "provenance.json").read_text())["config"]
    groups = config["distillation"]["groups"] | {"source": "spectral"}
    changed = config | {"distillation": config["distillation"] | {"groups": groups}}
    known = spoiled(run, tmp_path / "known", config=changed)
    predict_video.run(video(tmp_path / "a.mp4", 3), known, out=tmp_path / "known")
    predict_video.run(tmp_path / "a.mp4", run, out=tmp_path / "published")
    texts = {(tmp_path / name / "a.json").read_text() for name in ("known", "published")}
    assert len(texts) == 1
    older = spoiled(run, tmp_path / "older", config=changed, groups=None)
    with pytest.raises(ConfigError, match="spectral needs the file that the rule `group` writes"):
        predict_video.run(tmp_path / "a.mp4", older, out=tmp_path)


def test_vfit_s_frames_come_from_the_network_in_the_run_s_folder(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    run = moved("tips")
    config = json.loads((run / "provenance.json").read_text())["config"]
    network = {"size": "tiny", "weights": "vfit.pt", "sha256": ""}
    changed = config | {"interim": "vfit"}
    known = spoiled(run, tmp_path / "known", config=changed, interpolator=network)
    with pytest.raises(records.RecordError, match=r"known/vfit\.pt: no such file"):
        predict_video.run(video(tmp_path / "a.mp4", 3), known, out=tmp_path / "none")
    torch.manual_seed(0)
    torch.save({"model": VFIT(SIZES["tiny"]).state_dict()}, known / "vfit.pt")
    with pytest.raises(records.RecordError, match="not the network that the run's interim frames"):
        predict_video.run(tmp_path / "a.mp4", known, out=tmp_path / "none")
    network["sha256"] = provenance.file_digest(known / "vfit.pt")
    known = spoiled(known, tmp_path / "again", config=changed, interpolator=network)
    predict_video.run(tmp_path / "a.mp4", known, out=tmp_path / "out")
    assert len(people(tmp_path / "out" / "a.json")) == 3
