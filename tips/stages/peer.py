"""Predicts the validation split with a public network that others trained on other data."""

import numpy as np

from tips import records
from tips.config import ConfigError
from tips.data.frames import open_frames
from tips.device import use_threads
from tips.instances import Found, Key, box_keys, gather
from tips.opened import open_study, read_annotations
from tips.peers import networks
from tips.peers.known import PEERS, Peer
from tips.peers.networks import Answer
from tips.progress import track
from tips.records import Detections, Pose, Predictions
from tips.skeleton import Skeleton


def run(peer: str, scale: str = "desk", root: str = "", threads: int = 1) -> None:
    """Writes the predictions of one peer, on the boxes that every row of the study gets.

    Args:
        peer: Names the network: movenet-thunder, movenet-lightning or blazepose.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        threads: Sets the number of threads; 0 is one per core.

    Raises:
        ConfigError: no such peer.
        RecordError: its files, frames or boxes are missing.
    """
    if peer not in PEERS:
        raise ConfigError(f"--peer must be one of {', '.join(PEERS)}; got {peer!r}")
    use_threads(threads)
    study, paths = open_study(scale, root)
    settings, dataset = study.scale.evaluation, study.scale.dataset
    annotations = read_annotations(paths, "val")
    keys = box_keys(annotations, records.read(Detections, paths.boxes(settings.boxes)))
    frames = open_frames(dataset, paths, annotations)
    ask = networks.load(peer, paths.peers.parent, settings.enlarge)
    found = []
    for key in track(keys, peer):
        answer = ask(frames(key.sequence, key.frame), key.box)
        factor = key.score if settings.product else 1.0
        found.append(
            Found(pose=as_pose(answer, PEERS[peer], dataset.body, key, factor), between=())
        )
    rows = gather(annotations, keys, found)
    predictions = Predictions(variant=peer, seed=0, boxes=settings.boxes, sequences=rows)
    records.write(predictions, paths.predictions(peer, "0", settings.boxes))


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
