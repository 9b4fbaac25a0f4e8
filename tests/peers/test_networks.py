from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tips import skeleton
from tips.ops import crop as crops
from tips.peers.known import PEERS
from tips.peers.networks import ABOVE, HIPS, BlazePose, MoveNet

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
BOX = (40.0, 20.0, 30.0, 60.0)
JOINTS = {name for name in skeleton.JOINTS if name not in ("head_top", "head_bottom")}
COCO = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def test_the_rows_of_coco_are_its_names() -> None:
    places = PEERS["movenet-thunder"].places
    assert {name: COCO[row] for name, row in places.items()} == {name: name for name in JOINTS}


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_has_the_common_joints_once(name: str) -> None:
    places = PEERS[name].places
    assert set(places) == JOINTS
    assert len(set(places.values())) == len(JOINTS) == 13


def test_movenet_sees_the_square_about_the_box_and_answers_in_image_px() -> None:
    asked: list[Tensor] = []

    def network(pixels: Tensor) -> dict[str, Tensor]:
        asked.append(pixels)
        rows = torch.full((1, 1, 17, 3), 0.5)  # y, x, score
        rows[0, 0, 3] = torch.tensor([0.25, 0.75, 0.9])
        return {"Identity:0": rows}

    peer: Any = SimpleNamespace(size=64)
    answer = MoveNet(network, peer, 1.25)(IMAGE, BOX)  # type: ignore[arg-type]
    side = 60 * 1.25
    assert answer.joints[0] == pytest.approx((55, 50))
    assert answer.joints[3] == pytest.approx((55 + side / 4, 50 - side / 4))
    assert answer.scores[3] == pytest.approx(0.9)
    affine = crops.box_affine(BOX, 64, 64, 1.25)
    assert asked[0].dtype == torch.int64
    np.testing.assert_array_equal(asked[0][0], crops.crop(IMAGE, affine, 64, 64))


def blazepose(network: Any = None) -> BlazePose:
    peer: Any = SimpleNamespace(size=64)
    return BlazePose(network, peer, 1.25)


def joints(hips: tuple[float, float], above: tuple[float, float]) -> np.ndarray:
    found = np.zeros((39, 2))
    found[HIPS], found[ABOVE] = hips, above
    return found


def test_an_upright_person_gives_an_upright_region() -> None:
    affine = blazepose().region(joints((50, 60), (50, 40)))
    wanted = crops.box_affine((30, 40, 40, 40), 64, 64, 1.25)
    np.testing.assert_allclose(affine, wanted, atol=1e-9)


@pytest.mark.parametrize("angle", [0, 30, 90, -45, 180])
def test_the_region_turns_the_person_upright(angle: float) -> None:
    tilt = np.radians(angle)  # clockwise
    above = (50 + 20 * np.sin(tilt), 60 - 20 * np.cos(tilt))
    affine = blazepose().region(joints((50, 60), above))
    hips, top = crops.transform(np.array([(50.0, 60.0), above]), affine)
    np.testing.assert_allclose(hips, (32, 32), atol=1e-9)
    np.testing.assert_allclose(top, (32, 32 - 64 / 2 / 1.25), atol=1e-9)


def test_blazepose_looks_twice_and_answers_from_the_second_look() -> None:
    seen: list[Tensor] = []

    def network(pixels: Tensor) -> dict[str, Tensor]:
        seen.append(pixels)
        rows = torch.zeros(39, 5)
        rows[HIPS, :2], rows[ABOVE, :2] = torch.tensor([32.0, 32.0]), torch.tensor([48.0, 32.0])
        rows[0] = torch.tensor([32.0, 16.0, 0.0, 2.0, 9.0])  # a quarter above the middle
        return {"ld_3d": rows.reshape(1, -1)}

    answer = blazepose(network)(IMAGE, BOX)
    assert len(seen) == 2
    assert float(seen[0].max()) <= 1.0
    # Lying to the right, so the second crop is turned: its "above" is the image's right.
    radius = 16 * 60 * 1.25 / 64
    assert answer.joints[0] == pytest.approx((55 + radius * 1.25 / 2, 50))
    assert answer.scores[0] == pytest.approx(1 / (1 + np.exp(-2)))
