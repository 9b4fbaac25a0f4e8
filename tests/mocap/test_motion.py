import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tips.mocap import motion
from tips.mocap.motion import MotionError

VECTORS = hnp.arrays(float, (3,), elements=st.floats(-1.5, 1.5))


@pytest.fixture
def clip(motions):
    return motion.read_clip(motions / "humanoid3d_walk.txt")


def moment(clip, count=40):
    return motion.sample(clip, np.linspace(0, clip.duration, count))


def test_reads_durations_and_names(clip):
    assert clip.name == "walk"
    assert clip.duration == pytest.approx(1.0)
    assert clip.turns.shape == (31, 13, 4)


def test_quaternions_are_unit_and_continuous_although_the_file_flips_signs(clip):
    np.testing.assert_allclose(np.linalg.norm(clip.turns, axis=-1), 1)
    assert (np.einsum("ngc,ngc->ng", clip.turns[1:], clip.turns[:-1]) > 0.9).all()


def test_sampling_meets_the_knots_and_is_smooth(clip):
    at_knots = motion.sample(clip, clip.times)
    np.testing.assert_allclose(at_knots.root, clip.root, atol=1e-12)
    np.testing.assert_allclose(at_knots.turns, clip.turns, atol=1e-12)
    fine = motion.sample(clip, np.linspace(0.1, 0.9, 2001))
    speed = np.diff(fine.root[:, 1]) * 2000 / 0.8
    assert np.abs(np.diff(speed)).max() < 0.01 * np.abs(speed).max()  # no jump at a knot


def test_mirror_twice_is_the_identity_and_once_exchanges_sides(clip):
    poses = moment(clip)
    twice = motion.mirror(motion.mirror(poses))
    np.testing.assert_array_equal(twice.turns, poses.turns)
    np.testing.assert_array_equal(twice.root, poses.root)
    # In the world, mirroring is a reflection in the plane of symmetry (x).
    whole = motion.world_rotations(poses)
    other = motion.world_rotations(motion.mirror(poses))
    reflect = np.diag([-1.0, 1.0, 1.0])
    expected = reflect @ whole[:, list(motion.MIRRORED)] @ reflect
    np.testing.assert_allclose(other, expected, atol=1e-12)


def test_mix_takes_the_upper_body_of_the_other(clip, motions):
    lower, upper = moment(clip), moment(motion.read_clip(motions / "humanoid3d_run.txt"))
    mixed = motion.mix(lower, upper)
    for group in range(13):
        source = upper if group in motion.UPPER else lower
        np.testing.assert_array_equal(mixed.turns[:, group], source.turns[:, group])
    np.testing.assert_array_equal(mixed.root, lower.root)


def test_noise_has_its_sd_is_smooth_and_keeps_hinges_in_range(clip):
    times = np.linspace(0, 0.25, 16)
    poses = motion.sample(clip, times)
    angles, steps = [], []
    for seed in range(60):
        noisy = motion.disturb(poses, times, 0.15, np.random.default_rng(seed))
        for group in motion.HINGES:
            bend = 2 * np.arctan2(noisy.turns[:, group, 3], noisy.turns[:, group, 0])
            sign = -1 if group in motion.KNEES else 1
            assert (sign * bend >= -1e-12).all()
        dots = np.abs(np.einsum("tc,tc->t", noisy.turns[:, 1], poses.turns[:, 1]))
        angles.append(2 * np.arccos(np.minimum(dots, 1)))
        steps.append(np.abs(np.diff(angles[-1])).max())
    # Three independent axes: mean square of the angle is 3 sd^2.
    assert np.sqrt(np.mean(np.square(angles)) / 3) == pytest.approx(0.15, rel=0.15)
    assert max(steps) < 0.05


def test_zero_noise_changes_nothing(clip):
    times = np.linspace(0, 1, 7)
    poses = motion.sample(clip, times)
    same = motion.disturb(poses, times, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(
        motion.matrices(same.turns), motion.matrices(poses.turns), atol=1e-12
    )


@given(a=VECTORS, b=VECTORS)
def test_quaternion_products_are_matrix_products(a, b):
    p, q = motion.from_vector(a), motion.from_vector(b)
    left = motion.matrices(motion.multiply(p, q))
    np.testing.assert_allclose(left, motion.matrices(p) @ motion.matrices(q), atol=1e-12)


def test_world_axes_knee_bends_backward_and_elbow_forward():
    poses = motion.Motion(np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 13, 1)))
    poses.turns[0, 4] = motion.hinge(np.array(-0.5))
    poses.turns[0, 7] = motion.hinge(np.array(0.5))
    whole = motion.world_rotations(poses)[0]
    down = np.array([0, 0, -1.0])
    assert (whole[4] @ down)[1] > 0.4  # backward: a body at rest faces -y
    assert (whole[7] @ down)[1] < -0.4
    np.testing.assert_allclose(whole[0], np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "not a motion file"),
        ("nonsense", "not JSON"),
        (json.dumps({"Frames": [[0.1] * 43] * 5}), "44 numbers"),
        (json.dumps({"Frames": [[-1.0] + [0.5] * 43] * 5}), "durations above 0"),
    ],
)
def test_refuses_malformed_files_in_one_line(tmp_path, text, message):
    path = tmp_path / "humanoid3d_walk.txt"
    path.write_text(text)
    with pytest.raises(MotionError, match=message) as caught:
        motion.read_clip(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_clip_names_the_remedy(tmp_path):
    with pytest.raises(MotionError, match="tips stage fetch"):
        motion.read_clips(tmp_path, ("walk",))
