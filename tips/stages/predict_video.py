"""Finds poses in a user's own video: writes json and an overlay video (`tips predict`)."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os.path import realpath
from pathlib import Path

import cv2
import torch

from tips import kinds
from tips.build import build_generator, can_generate
from tips.config import ConfigError
from tips.data.windows import Stores, WindowSet
from tips.device import choose_device, keep_freed_memory, use_threads
from tips.evaluation.poseval_files import stream_found
from tips.inference.detector import detect, find_weights, load_detector
from tips.inference.predictor import Predictor
from tips.inference.run_folder import TrainedRun, find_run, open_run
from tips.instances import Key
from tips.interim.generator import InterimGenerator
from tips.ops.image import Image
from tips.progress import track
from tips.records import Box, Pose, RecordError, atomic_paths, judge_place
from tips.video.boxes import Finder, PersonBox, find_boxes, from_file, read_boxes, whole_frame
from tips.video.clip import Clip, judge_name, open_clip
from tips.video.links import Linker
from tips.video.overlay import draw_people, write_video
from tips.video.sliding import SlidingFrames

log = logging.getLogger(__name__)

People = list[tuple[Pose, Box]]
VIDEO = "video"  # the name of the only sequence


def run(
    video: Path,
    checkpoint: Path,
    boxes: Path | None = None,
    detector: Path | None = None,
    threshold: float = 0.2,
    out: Path = Path("predictions"),
    device: str = "auto",
    threads: int = 0,
) -> None:
    """Writes OUT/NAME.json, which `tips evaluate` reads, and OUT/NAME-overlay.mp4.

    Every frame is treated as in the study's own predictions. Only a few frames are in memory.

    Args:
        video: Names a video file, or a folder of frames in the order of their names.
        checkpoint: Takes the model of the run in this folder, which holds checkpoint.pt and
            provenance.json.
        boxes: Takes people's boxes from this json file, in the form of PoseWarper, mmpose, COCO or
            PoseTrack18.
        detector: Finds people by torchvision's fasterrcnn_resnet50_fpn_v2 with these weights.
        threshold: Leaves out boxes whose score is lower than this.
        out: Writes into this folder.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.

    Raises:
        ConfigError: boxes and a detector are given, or a switch has no such value.
        RecordError: video, run or boxes are missing, unreadable or malformed.
    """
    # Whatever can be judged is judged before anything is loaded, and only then is anything written.
    _judge(boxes, detector, threshold)
    use_threads(threads)
    target = choose_device(device)
    find_run(checkpoint)
    keep_freed_memory()
    cv2.setNumThreads(1)  # the study's own interim frames are made with one thread, too
    clip = open_clip(video)
    files = _files(clip, out, [one for one in (video, boxes, detector) if one is not None])
    people = _finder(clip, boxes, detector, threshold, target)
    trained = open_run(checkpoint, target)
    window = trained.variant.experiment.window
    sliding = SlidingFrames(clip.frames(), len(clip.files), window, _generator(trained, target))
    _write(clip, predicted(sliding, trained, people, target), files)
    print(*files, sep="\n")


def _judge(boxes: Path | None, detector: Path | None, threshold: float) -> None:
    """Refuses options that mean nothing."""
    if not 0 <= threshold <= 1:
        raise ConfigError(f"--threshold must lie in 0 to 1, as scores do; got {threshold:g}")
    if boxes is not None and detector is not None:
        raise ConfigError("give --boxes or --detector, not both: each says where people are")
    if boxes is not None:
        find_boxes(boxes)
    if detector is not None:
        find_weights(detector)


def _files(clip: Clip, out: Path, inputs: list[Path]) -> tuple[Path, Path]:
    """Names the files to write, json and overlay. None of them may be an input."""
    files = (out / f"{clip.name}.json", out / f"{clip.name}-overlay.mp4")
    for file in files:
        for one in inputs:
            if realpath(one) == realpath(file):
                raise ConfigError(f"{one}: would be written over; give another --out")
        judge_place(file)
        judge_name(file)
    return files


def _write(clip: Clip, poses: Iterator[tuple[Image, People]], files: tuple[Path, Path]) -> None:
    """Writes both files; they appear together when both are complete, or not at all."""
    with (
        _not_left_empty(files[0].parent),
        atomic_paths(*files) as (found_file, overlay),
        found_file.open("w", encoding="utf-8") as stream,
        stream_found(stream, clip.files) as add,
        write_video(overlay, clip.width, clip.height, clip.rate, files[1]) as show,
    ):
        for image, found in track(poses, clip.name, len(clip.files)):
            add(found)
            show(draw_people(image, found))


@contextmanager
def _not_left_empty(folder: Path) -> Iterator[None]:
    """Removes the folder, and those above it, if they are new and nothing came into them."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    finally:
        for one in new:
            with suppress(OSError):  # it is not empty
                one.rmdir()


def _finder(
    clip: Clip,
    boxes: Path | None,
    detector: Path | None,
    threshold: float,
    device: torch.device,
) -> Finder:
    if boxes is not None:
        return from_file(read_boxes(boxes, clip, threshold))
    if detector is None:
        log.warning(
            "no --boxes and no --detector: every whole frame is taken as the box of one person"
        )
        return whole_frame
    model = load_detector(detector).to(device)

    def find(frame: int, image: Image) -> list[PersonBox]:
        found = detect(model, image, device)
        return [PersonBox(box, score) for box, score in found if score >= threshold]

    return find


def predicted(
    sliding: SlidingFrames, trained: TrainedRun, people: Finder, device: torch.device
) -> Iterator[tuple[Image, People]]:
    """Yields every frame of a video, in order, with the poses and boxes of its people.

    Args:
        sliding: the frames around the present one, and their interim frames.
        trained: the run whose model predicts.
        people: finds the people of a frame.
        device: the device of the model.

    Yields:
        A frame (H, W, 3) in RGB, and each person's pose and box in image px.
    """
    experiment, settings = trained.variant.experiment, trained.evaluation
    windows = WindowSet(
        {"val": Stores(sliding.frame, sliding.interim)},
        experiment.window,
        experiment.crop,
        experiment.backbone.stride,
        settings.enlarge,
        interim=experiment.interim_frames is not None,
    )
    predictor = Predictor(trained.model, windows, settings, trained.variant, device)
    link = Linker()
    for t in range(sliding.count):
        sliding.move_to(t)
        image = sliding.frame(VIDEO, t)
        found = people(t, image)
        tracks = link(t, found)
        keys = [
            Key("val", VIDEO, t, sliding.count, person.box, None, -1, person.score)
            for person in found
        ]
        rows = [row.pose for batch in predictor(keys) for row in batch]
        yield (
            image,
            [
                (pose.model_copy(update={"track": number}), person.box)
                for pose, number, person in zip(rows, tracks, found, strict=True)
            ],
        )


def _generator(trained: TrainedRun, device: torch.device) -> InterimGenerator | None:
    """Builds the generator of the run's interim frames; gives None if the model looks at none."""
    experiment = trained.variant.experiment
    kind = experiment.interim_frames
    if kind is None:
        return None
    if not can_generate(kind):
        able = [one for one in kinds.homes(kinds.INTERIM) if can_generate(one)]
        raise RecordError(
            f"run {trained.variant.name}: its interim frames are '{kind}' ones, "
            f"which no video has; give a run with {' or '.join(able)}"
        )
    return build_generator(kind, trained.interpolator, device)
