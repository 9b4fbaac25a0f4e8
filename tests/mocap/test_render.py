import cv2
import numpy as np
import pytest

from tips.mocap import motion, render, scene
from tips.mocap.damage import Damage


@pytest.fixture(scope="module")
def alone(small):
    """One person, nothing in front, no degradation."""
    return small.model_copy(
        update={"people": (1, 1), "occluders": 0.0, "bystanders": 0.0, "degraded": 0.0}
    )


@pytest.fixture(scope="module")
def renderer(alone, bank):
    made = render.Renderer(alone, bank)
    yield made
    made.close()


@pytest.fixture(scope="module")
def clips(motions):
    return motion.read_clips(motions, ("walk", "kick", "run"))


def draw(renderer, clips, index, settings):
    drawn = scene.draw_scene(settings, clips, renderer.bank, "train", index, index)
    return drawn, renderer.load(drawn)


@pytest.mark.parametrize("index", range(4))
def test_joints_lie_inside_the_silhouette(renderer, alone, clips, index):
    drawn, mesh = draw(renderer, clips, index, alone)
    code = renderer.codes(drawn, mesh, 2.0)
    body = cv2.dilate((code[..., 1] == 1).astype(np.uint8), np.ones((5, 5), np.uint8))
    place = scene.project(alone, drawn.camera, drawn.people[0].joints)[drawn.at(2.0)]
    fine = np.floor((place + 0.5) * alone.supersampling).astype(int)
    inside = ((fine >= 0) & (fine < (body.shape[1], body.shape[0]))).all(axis=1)
    assert inside.sum() >= 12
    assert body[fine[inside, 1], fine[inside, 0]].all()


def test_coded_depth_is_the_linear_camera_depth(renderer, alone, clips):
    drawn, mesh = draw(renderer, clips, 0, alone)
    code = renderer.codes(drawn, mesh, 0.0)
    near, far = render.depth_range(drawn)
    depth = near + (far - near) * code[code[..., 1] == 1][:, 0] / 255
    joints = drawn.people[0].joints[drawn.at(0.0), :, 1]
    assert depth.min() > joints.min() - 0.25
    assert depth.max() < joints.max() + 0.25


def test_a_wall_in_front_hides_every_joint_it_covers(renderer, alone, clips):
    drawn, _ = draw(renderer, clips, 0, alone)
    seen = render.visibility(renderer, drawn, renderer.load(drawn), 0.0)[0]
    assert seen.sum() >= 8
    centre = drawn.people[0].joints[drawn.at(0.0)].mean(axis=0)
    corners = np.array([[-3.0, 0, -3], [3, 0, -3], [3, 0, 3], [-3, 0, 3]])
    path = np.tile(centre - [0, 1, 0], (len(drawn.times), 1))
    wall = scene.Occluder(corners, path, np.full((4, 3), 128.0))
    hidden = drawn._replace(occluders=(wall,))
    mesh = renderer.load(hidden)
    assert not render.visibility(renderer, hidden, mesh, 0.0).any()


def test_joints_outside_the_picture_are_not_visible(renderer, alone, clips):
    drawn, _ = draw(renderer, clips, 0, alone)
    far = drawn.camera._replace(pan=drawn.camera.pan + np.array([5000.0, 0.0]))
    moved = drawn._replace(camera=far)
    assert not render.visibility(renderer, moved, renderer.load(moved), 0.0).any()


def test_a_pan_moves_the_picture_exactly(renderer, alone, clips):
    drawn, mesh = draw(renderer, clips, 1, alone)
    still = drawn._replace(camera=drawn.camera._replace(pan=drawn.camera.pan * 0))
    panned = drawn._replace(camera=drawn.camera._replace(pan=drawn.camera.pan * 0 + [6.0, -4.0]))
    before = renderer.codes(still, mesh, 0.0)[..., 1].copy()
    after = renderer.codes(panned, mesh, 0.0)[..., 1]
    scale = alone.supersampling
    shifted = np.roll(before, (-4 * scale, 6 * scale), (0, 1))
    assert (shifted != after).mean() < 0.002


def test_left_limbs_are_lighter_than_right_ones(renderer, alone, clips):
    from tips.mocap import textures
    from tips.mocap.body import REGIONS

    for seed in range(5):
        image = textures.paint_person(seed).astype(float)

        def mean(name, image=image):
            region = np.full(1, REGIONS.index(name))
            x, y = textures.texture_uv(region, np.full((1, 2), 0.5))[0].astype(int)
            return image[y - 9 : y + 9, x - 9 : x + 9].mean()

        for part in ("upper_arm", "thigh", "shin", "forearm"):
            assert mean(f"left_{part}") > 1.15 * mean(f"right_{part}")
    assert (image[textures.WHITE[1], textures.WHITE[0]] == 255).all()


@pytest.mark.parametrize(
    "damage",
    [Damage("defocus", 4.0, 0.3, 0.0), Damage("shake", 15.0, 0.3, 0.0)],
)
def test_blur_keeps_the_mean_and_loses_detail(damage):
    image = np.random.default_rng(0).uniform(40, 200, (72, 96, 3)).astype(np.float32)
    blurred = render.expose(image, damage, np.random.default_rng(0))
    assert blurred.dtype == np.uint8
    assert blurred.mean() == pytest.approx(image.mean(), abs=1.0)
    assert blurred.std() < 0.5 * image.std()


def test_shake_has_its_length_and_direction():
    image = np.zeros((61, 61, 3), np.float32)
    image[30, 30] = 255 * 20
    streak = render.expose(image, Damage("shake", 20.0, 0.0, 0.0), np.random.default_rng(0))
    rows, columns = np.nonzero(streak[..., 0] > 60)
    assert np.ptp(columns) == pytest.approx(20, abs=2)
    assert np.ptp(rows) <= 1


def test_exposure_darkens_by_its_factor():
    image = np.full((20, 20, 3), 200, np.float32)
    dark = render.expose(image, Damage("exposure", 0.1, 0.0, 0.0), np.random.default_rng(0))
    assert (dark == 20).all()
