"""The tiny study with variants that are trained and predicted, and videos to predict."""

from pathlib import Path

import numpy as np

from tips.config import load_study
from tips.paths import Paths, study_paths
from tips.video.overlay import write_video

VARIANTS = ("hrnet", "tips", "tips-without-vfit")  # the last one looks at no interim frames


def paths() -> Paths:
    return study_paths(load_study("tiny", Path("experiments"), "people").scale)


def video(path: Path, count: int) -> Path:
    with write_video(path, 64, 48, 25) as add:
        for k in range(count):
            image = np.full((48, 64, 3), 60, np.uint8)
            image[10:40, 10 + k % 20 : 30 + k % 20] = 200
            add(image)
    return path
