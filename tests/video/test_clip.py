import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from tips.ops.image import write_jpeg
from tips.records import RecordError
from tips.video.clip import RATE, open_clip
from tips.video.overlay import write_video


def flat(shade: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), shade, np.uint8)


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_jpeg(flat(20 * number), tmp_path / "walk" / f"frame-{number}.jpg")
    (tmp_path / "walk" / ".frame-3.jpg").write_text("hidden")
    (tmp_path / "walk" / "notes.txt").write_text("no frame")
    clip = open_clip(tmp_path / "walk")
    assert (clip.name, clip.width, clip.height, clip.rate) == ("walk", 64, 48, RATE)
    parent = tmp_path.name
    assert clip.files == tuple(f"{parent}/walk/frame-{n}.jpg" for n in (1, 2, 10))
    assert [round(float(image.mean())) for image in clip.frames()] == [20, 40, 200]


def test_a_folder_given_from_inside_has_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jpeg(flat(9), tmp_path / "walk" / "0.jpg")
    monkeypatch.chdir(tmp_path / "walk")
    clip = open_clip(Path("."))
    assert clip.name == "walk"
    assert clip.files == (f"{tmp_path.name}/walk/0.jpg",)


def test_a_file_is_read_frame_for_frame_in_rgb(tmp_path: Path) -> None:
    shades = (30, 90, 150, 210)
    with write_video(tmp_path / "a.mp4", 64, 48, 12.5) as add:
        for shade in shades:
            image = flat(shade)
            image[..., 2] = 10
            add(image)
    clip = open_clip(tmp_path / "a.mp4")
    assert (clip.name, clip.width, clip.height, clip.rate) == ("a", 64, 48, 12.5)
    assert clip.files == tuple(f"a/{k:06d}.jpg" for k in range(4))
    for _ in range(2):  # anew each time
        found = list(clip.frames())
        assert [image.shape for image in found] == [(48, 64, 3)] * 4
        for image, shade in zip(found, shades, strict=True):
            np.testing.assert_allclose(image.mean(axis=(0, 1)), (shade, shade, 10), atol=12)


def test_what_a_damaged_file_still_holds_is_read_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48)
    )
    for _ in range(20):
        writer.write(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8))
    writer.release()
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "b.avi").write_bytes(whole[: len(whole) // 2])
    clip = open_clip(tmp_path / "b.avi")
    assert 0 < len(clip.files) < 20
    assert len(list(clip.frames())) == len(clip.files)
    assert "20 frames are promised" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile own.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nown.mp4\n#EXT-X-ENDLIST\n",
    ],
)
@pytest.mark.parametrize("name", ["given.mp4", "given.m3u8", "given.ffconcat"])
def test_a_list_of_files_is_no_video(tmp_path: Path, text: str, name: str) -> None:
    with write_video(tmp_path / "own.mp4", 64, 48, 25) as add:
        add(flat(90))
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordError, match="not a video that OpenCV reads"):
        open_clip(tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *(("avi", "MJPG"), ("mkv", "mp4v"), ("mov", "mp4v"), ("webm", "VP80"), ("flv", "FLV1")),
        *(("mpg", "mpg1"), ("m2ts", "mpg2"), ("mxf", "mpg2"), ("wmv", "WMV2"), ("3gp", "mp4v")),
    ],
)
def test_every_usual_format_is_read(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a.{suffix}"
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (64, 48)
    )
    for shade in (30, 90, 150):
        writer.write(flat(shade))
    writer.release()
    assert len(open_clip(path).files) == 3


@pytest.mark.parametrize(
    "name", ["http:/127.0.0.1:9/x.mp4", "file:a.mp4", "concat:a.mp4", "pipe:0", "data:,a.mp4"]
)
def test_no_name_is_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with write_video(tmp_path / "own.mp4", 64, 48, 25) as add:
        add(flat(90))
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "own.mp4").rename(name)
    assert [round(float(image.mean()), -1) for image in open_clip(Path(name)).frames()] == [90]


@pytest.mark.parametrize("place", ["\udcff.mp4", "\udcff/a.mp4"])
def test_a_name_that_opencv_cannot_take_is_a_line(tmp_path: Path, place: str) -> None:
    with write_video(tmp_path / "own.mp4", 64, 48, 25) as add:
        add(flat(90))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "own.mp4").rename(tmp_path / place)
    with pytest.raises(RecordError, match="not in UTF-8, which OpenCV needs; rename it"):
        open_clip(tmp_path / place)


def test_what_is_no_video_is_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RecordError, match=r"gone\.mp4: no such video or folder; give a video"):
        open_clip(tmp_path / "gone.mp4")
    with pytest.raises(RecordError, match=r"no frame in it; frames are \.bmp, "):
        open_clip(tmp_path)
    for data in (b"", b"no video", os.urandom(5000)):
        (tmp_path / "bad.mp4").write_bytes(data)
        with pytest.raises(RecordError, match=r"bad\.mp4: not a video that OpenCV reads; convert"):
            open_clip(tmp_path / "bad.mp4")
    assert capfd.readouterr().err == ""


def test_frames_of_other_sizes_are_a_line(tmp_path: Path) -> None:
    write_jpeg(flat(9), tmp_path / "0.jpg")
    write_jpeg(flat(9, width=32), tmp_path / "1.jpg")
    clip = open_clip(tmp_path)
    with pytest.raises(RecordError, match=r"1\.jpg: 32x48 px, the first frame 64x48"):
        list(clip.frames())
