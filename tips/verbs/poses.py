"""Verbs about poses: scoring any predictions, and predicting in any video."""

from pathlib import Path
from typing import Annotated

import typer

from tips.options import counted, output


def evaluate(
    truth: Annotated[
        Path, typer.Argument(metavar="GT", help="Names the folder, or the file, of ground truth.")
    ],
    found: Annotated[
        Path,
        typer.Argument(metavar="PRED", help="Names the predictions, in files of the same names."),
    ],
    csv: Annotated[Path | None, output("Writes the rows of all tables to this file.")] = None,
    json: Annotated[Path | None, output("Writes all scores and settings to this file.")] = None,
    rule: Annotated[
        str, typer.Option(help="Counts as poseval, or with kit21 as PoseTrack21's own kit does.")
    ] = "poseval",
    threshold: Annotated[
        float, typer.Option(help="Sets the largest distance of a hit, in head sizes.")
    ] = 0.5,
    head_factor: Annotated[
        float, typer.Option(help="Sets the head size as a share of the head box's diagonal.")
    ] = 0.6,
    oks: Annotated[
        bool, typer.Option("--oks", help="Also computes the OKS of parts and COCO's AP.")
    ] = False,
    sigmas: Annotated[
        str, typer.Option(help="Takes the sigmas of OKS from pifpaf or from mmpose.")
    ] = "pifpaf",
    area_factor: Annotated[
        float, typer.Option(help="Sets a person's area, for OKS, as a share of the box.")
    ] = 0.53,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="OTHER", help="Also tells the difference to these predictions, with intervals."
        ),
    ] = None,
) -> None:
    """Scores predictions in PoseTrack's json as PoseTrack does.

    Example: tips evaluate annotations/val predictions --json scores.json
    """
    from tips.stages import evaluate_files as stage

    settings = (rule, threshold, head_factor, oks, sigmas, area_factor)
    stage.run(truth, found, csv, json, *settings, against)


def predict(
    video: Annotated[Path, typer.Argument(help="Names a video file, or a folder of frames.")],
    checkpoint: Annotated[
        Path, typer.Option(metavar="RUN", help="Takes the model of the run in this folder.")
    ],
    boxes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Takes people's boxes from this json file.")
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Finds people by torchvision's Faster R-CNN with these weights."
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Leaves out boxes whose score is lower than this.")
    ] = 0.2,
    out: Annotated[Path, output("Writes into this folder.", folder=True)] = Path("predictions"),
    device: Annotated[
        str, typer.Option(help="Runs on this device: cpu, cuda, or auto to choose.")
    ] = "auto",
    threads: Annotated[
        int, counted("Sets the number of threads on the CPU; 0 is one per core.")
    ] = 0,
) -> None:
    """Finds poses in your own video; writes json and an overlay video.

    Example: tips predict dance.mp4 --checkpoint results/runs/embedded/tips/seed-0
    """
    from tips.stages import predict_video as stage

    stage.run(video, checkpoint, boxes, detector, threshold, out, device, threads)
