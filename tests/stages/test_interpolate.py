from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tips import opened
from tips.config import ConfigError, Dataset
from tips.ops.image import read_image
from tips.records import RecordError, read_json, write_json
from tips.stages import interpolate, pack


def test_pack_then_every_generator(make_study: Callable) -> None:
    _, paths = make_study(pack, opened)
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
    _, paths = make_study(pack, opened)
    interpolate.run("true", "test")
    block = np.load(paths.interim("true") / "train" / "a.npy")
    assert np.array_equal(block[1], read_image(paths.root / "between/train/a/000001.jpg"))


def test_files_stay_files_and_null_psnr_without_truth(make_study: Callable) -> None:
    _, paths = make_study(opened, pack, packed=False, between=False)
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
    _, paths = make_study(opened, packed=False, between=False)
    with pytest.raises(
        ConfigError, match=r"unknown interim generator 'vift'; did you mean 'vfit'\?"
    ):
        interpolate.run("vift", "test")
    with pytest.raises(RecordError, match="'flow' or 'average'"):
        interpolate.run("true", "test")
    (paths.root / "images/val/c/000002.jpg").write_bytes(b"no image")
    with pytest.raises(RecordError, match=r"val/c/000002\.jpg: not a readable image"):
        interpolate.run("flow", "test")
    assert not (paths.interim("flow") / "psnr.json").exists()


@pytest.mark.parametrize("packed", [True, False])
def test_stopped_it_goes_on_with_the_next_clip(
    make_study: Callable, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    _, paths = make_study(pack, opened, packed=packed)
    pack.run("test")
    made: list[str] = []
    write = interpolate._write

    def spy(images: Iterator, dataset: Dataset, folder: Path, name: str) -> None:
        if name == "c" and not made.count("stopped"):
            made.append("stopped")
            raise KeyboardInterrupt
        made.append(name)
        write(images, dataset, folder, name)

    monkeypatch.setattr(interpolate, "_write", spy)
    with pytest.raises(KeyboardInterrupt):
        interpolate.run("average", "test")
    assert not (paths.interim("average") / "psnr.json").exists()
    interpolate.run("average", "test")
    assert made == ["a", "b", "stopped", "c"]
    finished = read_json(paths.interim("average") / "psnr.json")
    interpolate.run("average", "test")  # everything is there
    assert made == ["a", "b", "stopped", "c"]
    assert read_json(paths.interim("average") / "psnr.json") == finished
    write_json({"another": "dataset"}, paths.manifest)
    interpolate.run("average", "test")
    assert made[4:] == ["a", "b", "c"]


def test_shares_of_the_clips_make_what_one_job_does(
    make_study: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paths = make_study(pack, opened)
    pack.run("test")
    interpolate.run("average", "test")
    folder = paths.interim("average")
    whole = {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    write_json({"another": "dataset"}, paths.manifest)  # so all is made again
    one = interpolate.open_study("test")
    scale = one.study.scale.model_copy(update={"interim_shards": 2})
    shared = one._replace(study=one.study._replace(scale=scale))
    monkeypatch.setattr(interpolate, "open_study", lambda *_: shared)
    interpolate.run("average", "test", shard=1)
    assert not (folder / "psnr.json").exists()
    interpolate.run("average", "test", shard=0)
    made: list[str] = []
    monkeypatch.setattr(interpolate, "_write", lambda *words: made.append(words[-1]))
    interpolate.run("average", "test")
    assert made == []  # the shares have left nothing to do
    again = {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert again | {"key.json": b""} == whole | {"key.json": b""}
    assert all(paths.interim_shard("average", str(k)).is_file() for k in range(2))
    with pytest.raises(ConfigError, match=r"--shard must be in 0\.\.1, or -1 for all; got 2"):
        interpolate.run("average", "test", shard=2)
