"""Miniatures of the real datasets: their archives' names and folders, three small frames a clip."""

import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from tips import skeleton
from tips.data import releases
from tips.data.releases import RELEASES

FRAMES, HEIGHT, WIDTH = 3, 48, 64
TOKEN = "a-token"
Files = dict[str, bytes]


def picture(shade: int, suffix: str = ".jpg") -> bytes:
    pixels = np.full((HEIGHT, WIDTH, 3), shade % 256, np.uint8)
    return bytes(cv2.imencode(suffix, pixels)[1])


def split_tar(files: Files, folder: Path, names: Iterable[str]) -> None:
    """One tar file, its bytes cut into parts."""
    names = list(names)
    packed = tar(files)
    size = -(-len(packed) // len(names))
    for k, name in enumerate(names):
        (folder / name).write_bytes(packed[k * size : (k + 1) * size])


def tar(files: Files, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def locked_zip(files: Files, password: str) -> bytes:
    """A zip file with PKWARE's encryption, which zipfile reads but does not write."""
    body, directory = b"", b""
    for name, content in files.items():
        check = zlib.crc32(content)
        header = bytes(11) + bytes([check >> 24])
        data = _encrypt(header + content, password.encode())
        sizes = (check, len(data), len(content), len(name.encode()), 0)
        common = struct.pack("<HHHHHIIIHH", 20, 1, 0, 0, 33, *sizes)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + common + name.encode() + data
    end = (0, 0, len(files), len(files), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", *end)


def _encrypt(data: bytes, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(value: int, byte: int) -> int:
        return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in data:
        word = keys[2] | 2
        out.append(byte ^ (((word * (word ^ 1)) >> 8) & 0xFF))
        update(byte)
    return bytes(out)


def sequence_18(split: str, name: str, **extra: Any) -> dict[str, Any]:
    """A PoseTrack18 file: the middle frame labelled, one person with every joint."""
    slots = [(10 + k, 12 + k, 1) if "ear" not in s else (0, 0, 0) for k, s in enumerate(SLOTS)]
    person = {
        "image_id": 1001,
        "track_id": 0,
        "bbox": [8.0, 8.0, 30.0, 30.0],
        "bbox_head": [10, 10, 6, 6],
        "keypoints": [value for slot in slots for value in slot],
    }
    images = [
        {
            "id": 1000 + k,
            "file_name": f"images/{split}/{name}/{k:06d}.jpg",
            "is_labeled": k == 1,
            **extra,
        }
        for k in range(FRAMES)
    ]
    categories = [{"name": "person", "keypoints": list(SLOTS)}]
    return {"images": images, "annotations": [person], "categories": categories}


SLOTS = skeleton.SLOTS_17
CLIPS = {"train": ("000001_bonn_train", "000002_mpii_train"), "val": ("000003_mpii_test",)}


def images_18() -> Files:
    return {
        f"images/{split}/{name}/{k:06d}.jpg": picture(40 * k)
        for split, names in CLIPS.items()
        for name in names
        for k in range(FRAMES)
    }


def labels_18(folder: str, edit: Callable[[dict[str, Any]], None] = lambda raw: None) -> Files:
    found = {}
    for split, names in CLIPS.items():
        for name in names:
            raw = sequence_18(split, name)
            edit(raw)
            found[f"{folder}/{split}/{name}.json"] = json.dumps(raw).encode()
    return found


def posetrack18(root: Path) -> None:
    split_tar(images_18(), root, RELEASES["posetrack18"].bundles[0].files)
    labels = tar(labels_18("posetrack_data/annotations"), "w:gz")
    (root / "posetrack18_v0.45_public_labels.tar.gz").write_bytes(labels)


def box_only(raw: dict[str, Any]) -> None:
    """What PoseTrack21 adds: flags, ids over sequences, people with a box alone."""
    for image in raw["images"]:
        image["has_labeled_person"] = True
    raw["annotations"][0]["person_id"] = 17
    raw["annotations"] += [
        {"image_id": 1000, "track_id": 1, "person_id": 18, "bbox": [1.0, 1.0, 9.0, 20.0]},
        {
            **{"image_id": 1001, "track_id": 1, "person_id": 18, "bbox": [1.0, 1.0, 9.0, 20.0]},
            **{"keypoints": [], "bbox_head": []},
        },
    ]


def posetrack21(root: Path) -> None:
    split_tar(images_18(), root, RELEASES["posetrack21"].bundles[0].files)
    labels = locked_zip(labels_18("posetrack_data", box_only), TOKEN)
    (root / "posetrack21_annotations.zip").write_bytes(labels)


def struct_array(rows: list[dict[str, Any]]) -> Any:
    """Rows as MATLAB's struct array; one row is a struct, none is []."""
    if not rows:
        return np.empty((0, 0))
    kinds = [(name, object) for name in rows[0]]
    found = np.empty(len(rows), dtype=kinds)
    for k, row in enumerate(rows):
        found[k] = tuple(row.values())
    return found


def annolist(folder: str, frames: list[str], people: int) -> list[dict[str, Any]]:
    """Frames as MATLAB has them; the middle one is labelled."""
    rows = []
    for k, name in enumerate(frames):
        labelled = k == 1
        points = [{"id": j, "x": 10.0 + j, "y": 12.0 + j, "is_visible": 1} for j in range(15)]
        heads = [
            {
                **{"x1": 10.0, "y1": 10.0, "x2": 16.0, "y2": 16.0, "track_id": track},
                "annopoints": {"point": struct_array(points[: 15 if track == 0 else 1])},
            }
            for track in range(people if labelled else 0)
        ]
        corner = [{"x": 0.0, "y": 0.0}, {"x": 4.0, "y": 0.0}, {"x": 4.0, "y": 4.0}]
        regions = [{"point": struct_array(corner)}] if labelled else []
        rows.append(
            {
                "image": {"name": f"images/{folder}/{name}"},
                "is_labeled": int(labelled),
                "imgnum": k + 1,
                "annorect": struct_array(heads),
                "ignore_regions": struct_array(regions),
            }
        )
    return rows


def mat(variables: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables)
    return stream.getvalue()


# Names of one clip start with their number and are otherwise any; the middle one is not last in
# the order of letters.
NAMES_17 = ["0000098_crop.jpg", "0000099_crop.jpg", "00000100.jpg"]
CLIPS_17 = {"train": ("bonn_5sec/000001_bonn", 1), "val": ("mpii/000002_mpii", 2)}


def posetrack17(root: Path) -> None:
    images, labels = {}, {}
    for split, (clip, people) in CLIPS_17.items():
        for k, name in enumerate(NAMES_17):
            images[f"posetrack_data/images/{clip}/{name}"] = picture(40 * k)
        rows = struct_array(annolist(clip, NAMES_17, people))
        stem = f"{Path(clip).name}_relpath_5sec"
        labels[f"posetrack_data/annotations/{split}/{stem}.mat"] = mat({"annolist": rows})
    split_tar(images, root, RELEASES["posetrack17"].bundles[0].files)
    (root / "posetrack_v0.75_labels.tar").write_bytes(tar(labels))


ACTIONS = {"catch": ("Frisbee_catch", "Ball_@_7_catch"), "golf": ("Golf_1",)}


def jhmdb(root: Path) -> None:
    """Two actions, three clips; in every split one of them is for testing."""
    images, joints, masks, splits = {}, {}, {}, {}
    for action, clips in ACTIONS.items():
        for number, clip in enumerate(clips):
            images |= {
                f"Rename_Images/{action}/{clip}/{k + 1:05d}.png": picture(30 * k, ".png")
                for k in range(FRAMES + 1)  # one frame more than is annotated
            }
            frames = 1 if clip == "Golf_1" else FRAMES
            places = np.arange(30.0).reshape(15, 2).T[:, :, None] + np.arange(frames) + 11
            shown = np.zeros((HEIGHT, WIDTH, frames), np.uint8)
            shown[10:31, 20:36] = 1
            here = f"{action}/{clip}"
            joints[f"joint_positions/{here}/joint_positions.mat"] = mat({"pos_img": places})
            masks[f"puppet_mask/{here}/puppet_mask.mat"] = mat({"part_mask": shown})
            for fold in (1, 2, 3):
                side = 2 if (number == 1) == (action == "catch") else 1
                name = f"sub_splits/{action}_test_split_{fold}.txt"
                splits[name] = splits.get(name, b"") + f"{clip}.avi {side} \n".encode()
    images["Rename_Images/golf/Golf_1/._00001.png"] = b"a Mac's twin"
    splits["sub_splits/._golf_test_split_1.txt"] = b"a Mac's twin"
    (root / "Rename_Images.tar.gz").write_bytes(tar(images, "w:gz"))
    (root / "joint_positions.zip").write_bytes(zipped(joints))
    (root / "puppet_mask.zip").write_bytes(zipped(masks))
    (root / "sub_splits.zip").write_bytes(zipped(splits))


def own_sums(monkeypatch: Any, root: Path, url: str = "") -> None:
    """Gives JHMDB's archives the checksums of the miniature, and perhaps another address."""
    release = RELEASES["jhmdb"]
    bundles = tuple(
        bundle._replace(
            md5=hashlib.md5((root / bundle.files[0]).read_bytes()).hexdigest().upper(),
            url=f"{url}/{bundle.files[0]}" if url else bundle.url,
        )
        for bundle in release.bundles
    )
    known = {**RELEASES, "jhmdb": release._replace(bundles=bundles)}
    monkeypatch.setattr(releases, "RELEASES", known)
    monkeypatch.setattr("tips.stages.unpack.RELEASES", known)


MAKERS = {
    "paper-posetrack17": posetrack17,
    "paper-posetrack18": posetrack18,
    "paper-posetrack21": posetrack21,
    "paper-jhmdb-1": jhmdb,
}
