"""The published datasets: their archives, how to obtain them, and what they should hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tips.data.archives import ArchiveError, Bundle


class Published(NamedTuple):
    """A count of the dataset that was published."""

    split: str  # name of the split; "all": of all splits together
    what: str  # what is counted: a key of the manifest's counts
    expected: int
    source: str


class Release(NamedTuple):
    """One published dataset."""

    title: str
    licence: str
    request: str  # how a person obtains the archives
    unpacked: str  # folders that may lie in the root instead of the archives
    bundles: tuple[Bundle, ...]
    published: tuple[Published, ...]


_FORM: Final = "register at posetrack.net/users/download.php (offline at times)"
_IMAGES_18: Final = Bundle(
    name="images",
    files=tuple(f"posetrack18_images.tar.a{letter}" for letter in "abcdefghijklmnopqr"),
    holds="images/val/*/*.jpg",
)


def _jhmdb(name: str, suffix: str, holds: str, md5: str) -> Bundle:
    file = f"{name}{suffix}"
    url = f"https://files.is.tue.mpg.de/jhmdb/{file}"
    return Bundle(name=name, files=(file,), holds=holds, md5=md5, url=url)


RELEASES: Final[dict[str, Release]] = {
    "posetrack17": Release(
        title="PoseTrack17",
        licence="research, as agreed with the PoseTrack team on registration; no copies passed on",
        request=f"{_FORM} and take images and labels of the 2017 challenge",
        unpacked="annotations/{train,val}/*.mat or *.json beside images/",
        bundles=(
            Bundle(
                name="images",
                files=tuple(f"posetrack_data_images.tar.batch0{number}" for number in range(8)),
                holds="images/*/*/*.jpg",
            ),
            Bundle(
                name="labels",
                files=("posetrack_v0.75_labels.tar",),
                holds="annotations/val/*",
            ),
        ),
        published=(
            Published("train", "sequences", 250, "paper V-A"),
            Published("val", "sequences", 50, "paper V-A"),
            Published("all", "people", 16219, "paper V-A, with test"),
        ),
    ),
    "posetrack18": Release(
        title="PoseTrack18",
        licence="research, as agreed with the PoseTrack team on registration; no copies passed on",
        request=f"{_FORM} and take images and labels (v0.45) of the 2018 challenge",
        unpacked="annotations/{train,val}/*.json beside images/{train,val}/",
        bundles=(
            _IMAGES_18,
            Bundle(
                name="labels",
                files=("posetrack18_v0.45_public_labels.tar.gz",),
                holds="annotations/val/*.json",
            ),
        ),
        published=(
            Published("train", "sequences", 593, "paper V-A"),
            Published("val", "sequences", 170, "paper V-A"),
            Published("all", "people", 153615, "paper V-A, with test"),
        ),
    ),
    "posetrack21": Release(
        title="PoseTrack21",
        licence="research, by a signed agreement; no copies passed on",
        request=(
            "write to posetrack21@googlegroups.com for the agreement; the token that you get is "
            "the password of posetrack21_annotations.zip and goes into the environment as "
            "POSETRACK21_TOKEN (or POSETRACK21_TOKEN_FILE names a file with it), and they know "
            "where the images of PoseTrack18 are"
        ),
        unpacked="posetrack_data/{train,val}/*.json beside images/{train,val}/",
        bundles=(
            _IMAGES_18,
            Bundle(
                name="labels",
                files=("posetrack21_annotations.zip",),
                holds="posetrack_data/val/*.json",
                password="POSETRACK21_TOKEN",
            ),
        ),
        published=(
            Published("train", "sequences", 593, "PoseTrack18's, whose videos these are"),
            Published("val", "sequences", 170, "PoseTrack18's, whose videos these are"),
        ),
    ),
    "jhmdb": Release(
        title="JHMDB",
        licence="public for research without registration; cite Jhuang et al., ICCV 2013",
        request="downloaded from files.is.tue.mpg.de/jhmdb",
        unpacked="Rename_Images/, joint_positions/, puppet_mask/ and sub_splits/",
        bundles=(
            _jhmdb(
                *("Rename_Images", ".tar.gz", "Rename_Images/*/*/*.png"),
                "23726FBAC4BC69A726DC3DAF2E7AB4C1",
            ),
            _jhmdb(
                *("joint_positions", ".zip", "joint_positions/*/*/joint_positions.mat"),
                "3D1AC91BCB8544DDFDD9547997DB239F",
            ),
            _jhmdb(
                *("puppet_mask", ".zip", "puppet_mask/*/*/puppet_mask.mat"),
                "EEBF6C6C71FAA16709B709B758710D17",
            ),
            _jhmdb(
                *("sub_splits", ".zip", "sub_splits/*_test_split_1.txt"),
                "E459DF140CDE2125C61970151A0EA8CB",
            ),
        ),
        published=(
            Published("all", "sequences", 316, "sub-JHMDB's clips, each once"),
            Published("all", "labelled_frames", 11200, "paper V-A, rounded"),
        ),
    ),
}


def differences(release: Release, counts: Mapping[Any, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Lists the published counts that the data do not match.

    Args:
        release: the dataset.
        counts: counts of the data, by split, then by what is counted.
    """
    rows = []
    for claim in release.published:
        splits = counts.values() if claim.split == "all" else [counts[claim.split]]
        found = sum(split[claim.what] for split in splits)
        if found != claim.expected:
            rows.append(claim._asdict() | {"found": found})
    return rows


def instructions(release: Release, root: Path, missing: list[Bundle]) -> ArchiveError:
    """Builds the error that tells a person everything to do to obtain the missing archives.

    Args:
        release: the dataset.
        root: the dataset's folder.
        missing: the missing bundles.
    """
    names = [
        f"{bundle.files[0]} ... {bundle.files[-1]} ({len(bundle.files)} files)"
        if len(bundle.files) > 1
        else bundle.files[0]
        for bundle in missing
    ]
    return ArchiveError(
        f"{release.title} is not complete in {root}: {' and '.join(names)} missing. "
        f"(1) Request: {release.request}. Licence: {release.licence}. "
        f"(2) Put the archives, as they are and under these names, into {root}; or unpack them "
        f"there yourself, as {release.unpacked}. "
        "(3) Run the same command again: it checks that every part is there, whole, and fits the "
        f"disk, unpacks into {root / 'unpacked'}, and compares the counts with the published ones."
    )
