import pytest

from tips import skeleton
from tips.config import ConfigError
from tips.models.tips.settings import Groups

BODIES = pytest.mark.parametrize("body", [skeleton.POSETRACK, skeleton.JHMDB])


@BODIES
def test_a_skeleton_is_consistent(body: skeleton.Skeleton) -> None:
    assert len(set(body.joints)) == skeleton.COUNT
    assert [body.mirror[j] for j in body.mirror] == list(range(skeleton.COUNT))
    for joint, partner in enumerate(body.mirror):
        name = body.joints[joint]
        swapped = name.replace("left", "x").replace("right", "left").replace("x", "right")
        assert body.joints[partner] == swapped
    known = {joint for bone in body.bones for joint in bone}
    assert known == set(range(skeleton.COUNT))
    assert len(body.columns) == 7
    assert {name for names in body.columns.values() for name in names} <= set(body.joints)


@BODIES
def test_groups_are_partitions_that_mirroring_keeps(body: skeleton.Skeleton) -> None:
    for count, groups in body.groups.items():
        parts = [set(group) for group in groups.values()]
        assert len(parts) == count
        assert sorted(joint for part in parts for joint in part) == list(range(skeleton.COUNT))
        assert all({body.mirror[joint] for joint in part} in parts for part in parts)


def test_jhmdb_s_five_groups() -> None:
    named = [{skeleton.JHMDB.joints[j] for j in g} for g in skeleton.JHMDB.groups[5].values()]
    assert named == [
        {"neck", "face", "left_shoulder", "right_shoulder"},
        {"left_elbow", "left_wrist"},
        {"right_elbow", "right_wrist"},
        {"belly", "left_hip", "right_hip"},
        {"left_knee", "right_knee", "left_ankle", "right_ankle"},
    ]


def test_the_dataset_s_joints_choose_the_groups() -> None:
    five = Groups(source="published", count=5)
    assert five.resolve(None, skeleton.JHMDB) == tuple(skeleton.JHMDB.groups[5].values())
    assert five.resolve(None, skeleton.POSETRACK) == tuple(skeleton.GROUPS[5].values())
    with pytest.raises(ConfigError, match="N = 1, 5, 15; got 8; leave the variant out"):
        Groups(source="published", count=8).resolve(None, skeleton.JHMDB)
    with pytest.raises(ConfigError, match=r"groups\.source spectral is for PoseTrack's joints"):
        Groups(source="spectral", count=5).resolve(None, skeleton.JHMDB)
