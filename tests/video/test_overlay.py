from pathlib import Path

import cv2
import numpy as np
import pytest

from tips import skeleton
from tips.records import Pose, RecordError, atomic_path
from tips.video import overlay
from tips.video.overlay import COLOURS, SEEN, draw_people, side, write_video

LEFT, RIGHT = (255, 159, 28), (46, 196, 182)  # COLOURS


def pose(scores: float = 0.9, **places: tuple[float, float]) -> Pose:
    """Joints far outside the frame but for the named ones."""
    joints = tuple(places.get(name, (-1e7, -1e7)) for name in skeleton.JOINTS)
    return Pose(track=3, score=1.0, joints=joints, scores=(scores,) * 15)


ARM_AND_THIGH = pose(
    left_elbow=(20.0, 80.0), left_wrist=(60.0, 80.0), right_hip=(20, 40), right_knee=(60, 40)
)
BOX = (10.0, 20.0, 80.0, 70.0)
BLACK = np.zeros((100, 120, 3), np.uint8)


def test_bones_have_the_colour_of_their_side() -> None:
    drawn = draw_people(BLACK, [(ARM_AND_THIGH, BOX)])
    np.testing.assert_allclose(drawn[80, 40], LEFT, atol=30)  # a smoothed line
    np.testing.assert_allclose(drawn[40, 40], RIGHT, atol=30)
    assert tuple(drawn[80, 20]) == (255, 255, 255)  # a joint
    assert drawn[20, 50:].any()  # the box
    assert drawn[90, 50].any()
    assert not BLACK.any()


def test_joints_that_are_hardly_there_are_not_drawn() -> None:
    assert not draw_people(BLACK, [(pose(SEEN - 0.01, left_wrist=(60, 60)), BOX)])[
        55:65, 55:65
    ].any()
    assert draw_people(BLACK, [(pose(SEEN, left_wrist=(60, 60)), BOX)])[55:65, 55:65].any()


def test_an_absent_joint_and_its_bones_are_not_drawn() -> None:
    arm = pose(left_elbow=(20.0, 80.0), left_wrist=(60.0, 80.0))
    elbow = skeleton.INDEX["left_elbow"]
    joints = (*arm.joints[:elbow], None, *arm.joints[elbow + 1 :])
    drawn = draw_people(BLACK, [(arm.model_copy(update={"joints": joints}), BOX)])
    assert tuple(drawn[80, 60]) == (255, 255, 255)
    assert not drawn[75:85, 15:45].any()
    assert not drawn[:5, :5].any()


def test_a_box_may_lie_anywhere() -> None:
    drawn = draw_people(BLACK, [(ARM_AND_THIGH, (-1e12, 20.0, 2e12, 1e10))])
    assert drawn[20, 50:].any()  # its upper edge


def test_sides_are_told_by_both_ends() -> None:
    sides = [side(skeleton.POSETRACK, bone) for bone in skeleton.BONES]
    assert [sides.count(key) for key in ("left", "right", "")] == [5, 5, 4]
    assert set(COLOURS) == {"left", "right", ""}


@pytest.mark.parametrize(("width", "height"), [(64, 48), (65, 47)])
@pytest.mark.parametrize("rate", [25.0, 30000 / 1001, 12.5, 119.963, 239.9214])
def test_a_video_reads_back(tmp_path: Path, width: int, height: int, rate: float) -> None:
    path = tmp_path / "new" / "a.mp4"
    shades = (40, 120, 200)
    with atomic_path(path) as new, write_video(new, width, height, rate, path) as add:
        for shade in shades:
            image = np.full((height, width, 3), shade, np.uint8)
            image[..., 0] = 250
            add(image)
        assert not path.exists()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(rate, abs=0.01)
    for shade in shades:
        done, pixels = capture.read()
        assert done
        # MPEG-4 has even sizes: the last column and row of an odd one are left out.
        assert pixels.shape == (height // 2 * 2, width // 2 * 2, 3)
        np.testing.assert_allclose(pixels[..., 2].mean(), 250, atol=12)
        np.testing.assert_allclose(pixels[..., 0].mean(), shade, atol=12)
    assert not capture.read()[0]
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def write(path: Path, *heights: int, failing: bool = False) -> None:
    with atomic_path(path) as new, write_video(new, 64, 48, 25, path) as add:
        for height in heights:
            add(np.zeros((height, 64, 3), np.uint8))
        if failing:
            raise RecordError("half")


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="half"):
        write(tmp_path / "a.mp4", 48, failing=True)
    assert list(tmp_path.iterdir()) == []


def test_frames_that_get_lost_are_a_line(tmp_path: Path) -> None:
    # The writer drops frames of another size without a word, as it does on a full disk.
    with pytest.raises(RecordError, match=r"a\.mp4: 1 of 2 frames were written; is the disk full"):
        write(tmp_path / "a.mp4", 48, 46)
    assert list(tmp_path.iterdir()) == []


def test_a_codec_that_is_not_there_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay, "CODEC", "zzzz")
    with pytest.raises(RecordError, match=r"a\.mp4: OpenCV cannot write 64x48 at 25 fps there"):
        write(tmp_path / "a.mp4")
