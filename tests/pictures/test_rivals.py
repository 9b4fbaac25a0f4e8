from pathlib import Path

import fake_study
import numpy as np
import pytest
from PIL import Image

from tips.config import rivals
from tips.opened import Opened, open_study, read_annotations
from tips.ops.image import write_jpeg
from tips.pictures.rivals import FILE, draw_contrast


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.chdir(tmp_path)
    fake_study.build(tmp_path)
    opened = open_study(fake_study.SCALE)
    noise = np.random.default_rng(0)
    for sequence in read_annotations(opened.paths, "val").sequences:
        for frame in sequence.frames:
            picture = noise.integers(0, 255, (sequence.height, sequence.width, 3), dtype=np.uint8)
            write_jpeg(picture, opened.paths.root / frame.file)
    return opened


def test_wins_and_losses_are_drawn_and_absent_rivals_named(opened: Opened, tmp_path: Path) -> None:
    captions = draw_contrast(opened, tmp_path)
    assert list(captions) == [FILE]
    words = captions[FILE]
    people = fake_study.SEQUENCES * 2 * 2  # two frames, two people
    assert f"of the {people} validation people" in words
    assert "tips and its best rival (dcpose, re-implemented; most right" in words
    assert "the 2 largest wins of tips, then its 2 largest losses" in words
    absent = ", ".join(name for name in rivals() if name != "dcpose")
    assert words.endswith(f"Without predictions here: {absent}.")
    assert (tmp_path / FILE).stat().st_size < 300_000
    with Image.open(tmp_path / FILE) as image:
        width, height = image.size
    # Four columns (truth, hrnet, dcpose, tips), four rows.
    assert (width, height) == (620, 720)


def test_equal_inputs_give_equal_bytes(opened: Opened, tmp_path: Path) -> None:
    first = draw_contrast(opened, tmp_path), (tmp_path / FILE).read_bytes()
    assert (draw_contrast(opened, tmp_path), (tmp_path / FILE).read_bytes()) == first


def test_without_any_rival_no_sheet_is_left(opened: Opened, tmp_path: Path) -> None:
    draw_contrast(opened, tmp_path)
    assert (tmp_path / FILE).exists()
    opened.paths.predictions("dcpose", "0", "gt").unlink()
    assert draw_contrast(opened, tmp_path) == {}
    assert not (tmp_path / FILE).exists()
