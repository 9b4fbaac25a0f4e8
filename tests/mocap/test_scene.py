import numpy as np
import pytest

from tips.mocap import damage, motion, scene


@pytest.fixture(scope="module")
def clips(motions):
    return motion.read_clips(motions, ("walk", "kick", "run"))


def test_a_scene_follows_from_seed_split_and_index(small, clips, bank):
    first = scene.draw_scene(small, clips, bank, "train", 1, 1)
    again = scene.draw_scene(small, clips, bank, "train", 1, 1)
    other = scene.draw_scene(small, clips, bank, "train", 2, 1)
    np.testing.assert_array_equal(first.people[0].joints, again.people[0].joints)
    assert first.damage == again.damage
    assert first.people[0].joints.shape != other.people[0].joints.shape or not np.allclose(
        first.people[0].joints, other.people[0].joints
    )


def test_splits_use_their_own_motions_and_bodies(small, clips, bank):
    for index in range(6):
        for split, names, bodies in (("train", {"walk", "kick"}, {0, 1}), ("val", {"run"}, {2, 3})):
            drawn = scene.draw_scene(small, clips, bank, split, index, index)
            assert {person.clip for person in drawn.people} <= names
            assert {person.body for person in drawn.people} <= bodies


def test_main_motions_take_turns(small, clips, bank):
    mains = [scene.draw_scene(small, clips, bank, "train", i, i).people[0].clip for i in range(4)]
    assert mains == ["walk", "kick", "walk", "kick"]


def test_people_have_their_height_and_stand_in_the_picture(small, clips, bank):
    settings = small.model_copy(update={"bystanders": 0.0, "joint_noise": 0.0, "mixing": 0.0})
    tall = []
    for index in range(30):
        drawn = scene.draw_scene(settings, clips, bank, "train", index, index)
        for person in drawn.people:
            where = scene.project(settings, drawn.camera, person.joints)
            tall.append(np.ptp(where[..., 1], axis=1).mean())
            middle = where.mean(axis=(0, 1))
            assert -10 < middle[0] < settings.width + 10
            assert 0 < middle[1] < settings.height
    # 1.7 m is 35 to 45 px; from ankle to head top it is a little less, and poses vary.
    assert 28 < np.median(tall) < 45


def test_times_hold_shutters_middles_and_quarters(small):
    times = scene.scene_times(small, 3)
    for wanted in (0, 0.5, 1, 1.5, 2, 0.25, 0.75, 1.25, *scene.shutter_times(small, 1.5)):
        assert np.abs(times - wanted).min() < 1e-8
    np.testing.assert_allclose(scene.shutter_times(small, 1.0), [0.875, 1.125])


@pytest.mark.parametrize("burst", [1.0, 2.5])
def test_bad_frames_have_their_share_and_run_length(burst):
    rng = np.random.default_rng(0)
    runs, flags = [], []
    for _ in range(400):
        bad = damage.bad_frames(0.35, burst, 60, rng)
        flags += bad
        edges = np.diff(np.concatenate([[0], np.array(bad, int), [0]]))
        runs += list(np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1))
    assert np.mean(flags) == pytest.approx(0.35, abs=0.015)
    expected = 1 / (1 - 0.35) if burst == 1 else burst
    assert np.mean(runs) == pytest.approx(expected, rel=0.08)


def test_no_frame_is_bad_at_share_0_and_all_at_1():
    rng = np.random.default_rng(0)
    assert not any(damage.bad_frames(0.0, 3.0, 50, rng))
    assert all(damage.bad_frames(1.0, 3.0, 50, rng))


def test_damage_is_graded_between_clean_and_severe(small):
    """A graded fault is never worse than the severe one of the same kind."""
    rng = np.random.default_rng(0)
    settings = small.model_copy(update={"degraded": 1.0, "severity": (0.25, 0.5)})
    drawn = [damage.draw_damage(settings, 1, rng)[0] for _ in range(300)]  # a run has one fault
    amounts = {
        fault: np.array([one.amount for one in drawn if one.fault == fault])
        for fault in ("defocus", "shake", "exposure")
    }
    for fault, (low, high) in (("defocus", settings.defocus), ("shake", settings.shake)):
        assert 0.25 * low <= amounts[fault].min() < amounts[fault].max() <= 0.5 * high
    assert amounts["exposure"].min() >= settings.exposure[0] ** 0.5
    assert amounts["exposure"].max() <= settings.exposure[1] ** 0.25 < 1


def test_a_cover_stays_in_front_of_a_joint_for_its_frames(small, clips, bank):
    """Seen from the camera the joint lies behind the cover's centre as long as it is there."""
    settings = small.model_copy(
        update={"covers": 3.0, "occluders": 0.0, "cover_frames": (2.0, 2.0), "bystanders": 0.0}
    )
    count = 0
    for index in range(6):
        drawn = scene.draw_scene(settings, clips, bank, "train", index, index)
        limbs = np.concatenate([one.joints for one in drawn.people], axis=1)
        seen = limbs[..., [0, 2]] / limbs[..., 1:2]
        for cover in drawn.occluders:
            there = cover.path[:, 2] < 100
            assert np.ptp(drawn.times[there]) <= 2.0
            centre = cover.path[:, None, [0, 2]] / cover.path[:, None, 1:2]
            apart = np.abs(seen - centre).max(axis=-1)[there].max(axis=0)
            assert apart.min() < 1e-9
            count += 1
    assert count > 10
