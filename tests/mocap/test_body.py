import os
from pathlib import Path

import numpy as np
import pytest

from tips import skeleton
from tips.mocap import body, motion
from tips.mocap.body import BodyError


@pytest.fixture
def pose(motions):
    clip = motion.read_clip(motions / "humanoid3d_walk.txt")
    poses = motion.sample(clip, np.array([0.13, 0.57]))
    return motion.world_rotations(poses), poses.root


def test_rest_pose_stays_where_it_is(bank):
    still = np.tile(np.eye(3), (1, 13, 1, 1))
    moved = body.transforms(bank, 0, still, bank.pivots[0, :1])
    vertices, normals = body.skin(bank, 0, moved[0])
    np.testing.assert_allclose(vertices, bank.rest[0], atol=1e-6)
    np.testing.assert_allclose(normals, bank.normals[0], atol=1e-6)


def test_skinning_equals_a_slow_loop(bank, pose):
    rotations, place = pose
    moved = body.transforms(bank, 1, rotations, place)
    mixed = bank._replace(
        weights=np.random.default_rng(0)
        .dirichlet(np.ones(13), len(bank.weights))
        .astype(np.float32)
    )
    vertices, _ = body.skin(mixed, 1, moved[1])
    for index in range(0, len(vertices), 17):
        point = np.append(bank.rest[1, index], 1)
        expected = sum(mixed.weights[index, g] * (moved[1, g] @ point) for g in range(13))
        np.testing.assert_allclose(vertices[index], expected, atol=1e-5)


def test_limbs_hang_together(bank, pose):
    rotations, place = pose
    moved = body.transforms(bank, 0, rotations, place)
    np.testing.assert_allclose(
        moved[:, 0, :, :3] @ bank.pivots[0, 0] + moved[:, 0, :, 3], place, atol=1e-6
    )
    for group, parent in enumerate(motion.PARENTS):
        if parent >= 0:
            pivot = np.append(bank.pivots[0, group], 1)
            np.testing.assert_allclose(moved[:, group] @ pivot, moved[:, parent] @ pivot, atol=1e-6)


def test_joints_follow_their_group(bank, pose):
    rotations, place = pose
    moved = body.transforms(bank, 0, rotations, place)
    found = body.joints(bank, 0, moved)
    assert found.shape == (2, skeleton.COUNT, 3)
    knee = skeleton.INDEX["left_knee"]
    shin = motion.GROUPS.index("left_shin")
    expected = moved[:, shin] @ np.append(bank.pivots[0, shin], 1)
    np.testing.assert_allclose(found[:, knee], expected, atol=1e-6)


def test_bank_survives_writing_and_equal_banks_give_equal_bytes(bank, tmp_path):
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    body.save_bank(bank, first)
    body.save_bank(bank, second)
    assert first.read_bytes() == second.read_bytes()
    again = body.load_bank(first)
    for name in bank._fields:
        np.testing.assert_array_equal(getattr(again, name), getattr(bank, name))


def test_sides_do_not_share_bodies(bank):
    assert bank.side("train") == bank.side("stills") == (0, 2)
    assert bank.side("val") == (2, 2)


def test_refuses_absent_and_damaged_banks(tmp_path):
    with pytest.raises(BodyError, match="tips stage bodies"):
        body.load_bank(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    with pytest.raises(BodyError, match="delete it"):
        body.load_bank(tmp_path / "bad.npz")


def assets() -> Path | None:
    """Folder that `tips stage fetch` filled: TIPS_ASSETS, or the repository's own results."""
    folder = Path(os.environ.get("TIPS_ASSETS", "results/assets/motions"))
    return folder if (folder / "manifest.json").is_file() else None


@pytest.mark.full
@pytest.mark.skipif(assets() is None, reason="no fetched assets")
def test_real_bank_skins_as_anny_does():
    from tips.mocap import body_bank as builder

    anny = builder.import_anny(assets())
    made = builder.build_bank(anny, builder.anny_model(anny), (1, 1), 0, lambda: None)
    # build_bank itself raises if our full mesh differs from anny's by more than 1e-5 m.
    assert made.rest.shape == (2, 1229, 3)
    assert made.faces.shape == (2454, 3)
    np.testing.assert_allclose(made.weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(made.joints[..., 3].sum(axis=-1), 1, atol=1e-3)
    still = np.tile(np.eye(3), (1, 13, 1, 1)) @ made.aligns[0].transpose(0, 2, 1)
    joints = body.joints(made, 0, body.transforms(made, 0, still, made.pivots[0, :1]))[0]
    left = joints[[skeleton.INDEX[n] for n in skeleton.JOINTS if n.startswith("left")]]
    assert (left[:, 0] > 0).all()
    assert joints[:, 2].argmax() == skeleton.INDEX["head_top"]
    assert joints[:, 1].argmin() in (skeleton.INDEX["nose"], skeleton.INDEX["left_wrist"],
                                     skeleton.INDEX["right_wrist"])  # fmt: skip
