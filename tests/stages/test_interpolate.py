from collections.abc import Callable

import numpy as np
import pytest

from tips.config import ConfigError
from tips.ops.image import read_image
from tips.records import RecordError, read_json
from tips.stages import _study, interpolate, pack


def test_pack_then_every_generator(make_study: Callable) -> None:
    _, paths = make_study(pack, _study)
    pack.run("test")
    assert read_json(paths.packed / "packed.json")["stills"] == {"frames": 4, "sequences": 1}
    means = {}
    for generator in ("average", "flow", "true"):
        interpolate.run(generator, "test")
        block = np.load(paths.interim(generator) / "val" / "c.npy")
        assert block.shape == (3, 96, 128, 3)
        assert block.dtype == np.uint8
        report = read_json(paths.interim(generator) / "psnr.json")
        means[generator] = report["train"]["mean"]
        assert report["train"]["n"] == (0 if generator == "true" else 2 * 3)
    assert means["true"] is None
    assert means["flow"] > means["average"] + 1


def test_true_frames_are_the_rendered_ones(make_study: Callable) -> None:
    _, paths = make_study(pack, _study)
    interpolate.run("true", "test")
    block = np.load(paths.interim("true") / "train" / "a.npy")
    assert np.array_equal(block[1], read_image(paths.root / "between/train/a/000001.jpg"))


def test_files_stay_files_and_null_psnr_without_truth(make_study: Callable) -> None:
    _, paths = make_study(_study, pack, packed=False, between=False)
    pack.run("test")
    assert read_json(paths.packed / "packed.json") == {}
    interpolate.run("average", "test")
    folder = paths.interim("average")
    assert sorted(p.name for p in (folder / "train" / "b").iterdir()) == [
        "000000.jpg",
        "000001.jpg",
        "000002.jpg",
    ]
    assert read_json(folder / "psnr.json")["val"] == {"mean": None, "n": 0}


def test_refusals(make_study: Callable) -> None:
    _, paths = make_study(_study, packed=False, between=False)
    with pytest.raises(
        ConfigError, match=r"unknown interim generator 'vift'; known: average, flow"
    ):
        interpolate.run("vift", "test")
    with pytest.raises(RecordError, match="'flow' or 'average'"):
        interpolate.run("true", "test")
    (paths.root / "images/val/c/000002.jpg").write_bytes(b"no image")
    with pytest.raises(RecordError, match=r"val/c/000002\.jpg: not a readable image"):
        interpolate.run("flow", "test")
    assert not (paths.interim("flow") / "psnr.json").exists()
