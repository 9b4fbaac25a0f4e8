"""Predicts the validation split with a public network that others trained on other data."""

from pathlib import Path

import numpy as np

from tips import records
from tips.config import ConfigError
from tips.config.guests import load_guests
from tips.data.frames import open_frames
from tips.device import use_threads
from tips.evaluation.guest_files import PEER_FOLDER
from tips.evaluation.poseval_files import write_found
from tips.instances import Found, Key, box_keys, gather
from tips.opened import open_study, read_annotations
from tips.peers import networks
from tips.peers.known import PEERS, Peer
from tips.peers.networks import Answer
from tips.progress import track
from tips.provenance import file_digest
from tips.records import Detections, Pose, Predictions
from tips.skeleton import Skeleton
from tips.temporaries import discard


def run(guest: str, scale: str = "desk", root: str = "", threads: int = 1) -> None:
    """Writes a folder of PoseTrack's json, as any guest has it, on the boxes of the study's rows.

    The record posetrack.json beside the folder is written last and holds the sha256 of each file.

    Args:
        guest: Names the guest, a file of experiments/guests with the key `peer`.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        threads: Sets the number of threads; 0 is one per core.

    Raises:
        ConfigError: no guest of the study with this name has a peer.
        RecordError: the network's files, frames or boxes are missing.
    """
    use_threads(threads)
    study, paths = open_study(scale, root)
    settings, dataset = study.scale.evaluation, study.scale.dataset
    guests = load_guests(scale, study.scale, Path("experiments"))
    peers = {name: one.peer for name, one in guests.items() if one.peer is not None}
    if guest not in peers:
        raise ConfigError(f"--guest must be one of {', '.join(peers)}; got {guest!r}")
    peer = peers[guest]
    annotations = read_annotations(paths, "val")
    keys = box_keys(annotations, records.read(Detections, paths.boxes(settings.boxes)))
    frames = open_frames(dataset, paths, annotations)
    ask = networks.load(peer, paths.peers.parent, settings.enlarge)
    found = []
    for key in track(keys, guest):
        answer = ask(frames(key.sequence, key.frame), key.box)
        factor = key.score if settings.product else 1.0
        found.append(
            Found(pose=as_pose(answer, PEERS[peer], dataset.body, key, factor), between=())
        )
    rows = gather(annotations, keys, found)
    predictions = Predictions(variant=guest, seed=0, boxes=settings.boxes, sequences=rows)
    folder = paths.guest(guest, PEER_FOLDER)
    discard(folder)
    write_found(predictions, annotations, folder)
    files = {path.name: file_digest(path) for path in sorted(folder.glob("*.json"))}
    records.write_json({"peer": peer, "files": files}, paths.guest(guest, "posetrack.json"))


def as_pose(answer: Answer, peer: Peer, body: Skeleton, key: Key, factor: float) -> Pose:
    """Sorts a peer's joints into the dataset's fifteen; those that it does not know are absent.

    Args:
        answer: all joints that the peer knows, in image px.
        peer: tells which of these joints is which of the dataset's.
        body: the dataset's joints.
        key: the box in which the peer looked for a person.
        factor: the number that every joint's score is multiplied by.
    """
    rows = [peer.places.get(name) for name in body.joints]
    points, scores = np.round(answer.joints, 3).tolist(), answer.scores.tolist()
    return Pose(
        track=key.track,
        score=round(key.score, 6),
        joints=tuple(None if row is None else tuple(points[row]) for row in rows),
        scores=tuple(0.0 if row is None else round(scores[row] * factor, 6) for row in rows),
    )
