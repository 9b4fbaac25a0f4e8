import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tips import opened
from tips.config import ConfigError, load_scale
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.settings import Settings as Vfit
from tips.interim.vfit.sizes import SIZES
from tips.paths import Paths
from tips.records import RecordError, read_json, write_json
from tips.stages import interpolate, pack, vfit
from tips.training import loop
from tips.training.loop import TrainingError

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def settings(steps: int, rate: float = 2e-3) -> Vfit:
    found = load_scale("smoke", EXPERIMENTS).vfit
    assert found is not None
    assert found.training is not None
    changed = {"windows_per_epoch": 2 * steps, "batch": 2, "learning_rate": rate}
    return found.model_copy(
        update={"crop": 32, "training": found.training.model_copy(update=changed)}
    )


def packed(make_study: Callable, chosen: Vfit | None) -> Paths:
    _, paths = make_study(pack, opened, vfit=chosen)
    write_json({}, paths.manifest)
    pack.run("test")
    return paths


def test_it_learns_and_its_frames_are_measured(make_study: Callable) -> None:
    paths = packed(make_study, settings(40))
    vfit.run("test")
    losses = [line["total"] for line in map(_line, _journal(paths))]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    record = read_json(paths.vfit.with_name("provenance.json"))
    assert record["steps"] == 40
    interpolate.run("vfit", "test")
    trained = read_json(paths.interim("vfit") / "psnr.json")["val"]
    torch.manual_seed(0)
    torch.save({"model": VFIT(SIZES["tiny"]).state_dict()}, paths.vfit)
    interpolate.run("vfit", "test")
    assert trained["n"] == 3
    assert trained["mean"] > read_json(paths.interim("vfit") / "psnr.json")["val"]["mean"] + 1


def test_killed_it_goes_on_from_the_last_saved_step(
    make_study: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = packed(make_study, settings(7))
    vfit.run("test")
    whole, journal = _weights(paths), _journal(paths)
    paths.vfit.unlink()  # as Snakemake does with what it saw no end of
    with monkeypatch.context() as patch:
        patch.setattr(vfit, "fit", lambda *_: pytest.fail("it was trained again"))
        vfit.run("test", trigger="another")
    assert all(torch.equal(_weights(paths)[name], value) for name, value in whole.items())
    assert read_json(paths.vfit.with_name("provenance.json"))["trigger"] == "another"
    shutil.rmtree(paths.vfit.parent)
    step = loop._step

    def killed(job: loop.Job, stacked: object, number: int) -> dict[str, torch.Tensor]:
        if number == 5:
            raise KeyboardInterrupt
        return step(job, stacked, number)

    monkeypatch.setattr(loop, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        vfit.run("test")
    assert not paths.vfit.exists()
    first: list[int] = []
    monkeypatch.setattr(loop, "_step", lambda job, s, n: (first.append(n), step(job, s, n))[1])
    vfit.run("test")
    assert first[0] == 4  # saved every second step
    assert _journal(paths) == journal
    again = _weights(paths)
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_refusals(make_study: Callable) -> None:
    packed(make_study, Vfit(size="tiny", weights=None))
    with pytest.raises(ConfigError, match=r"does not train VFIT; give its YAML vfit\.training"):
        vfit.run("test")
    with pytest.raises(ConfigError, match=r"name it as vfit\.weights"):
        interpolate.run("vfit", "test")
    paths = packed(make_study, settings(1))
    with pytest.raises(RecordError, match=r"checkpoint\.pt: no such file"):
        interpolate.run("vfit", "test")
    paths.manifest.unlink()
    with pytest.raises(RecordError, match=r"manifest\.json: no such file; run the rule that makes"):
        vfit.run("test")
    packed(make_study, settings(9, rate=1e30))
    with pytest.raises(TrainingError, match="lower training"):
        vfit.run("test")


def test_clips_that_are_too_short_are_refused(make_study: Callable) -> None:
    _, paths = make_study(opened, packed=False, between=False, vfit=settings(1))
    write_json({}, paths.manifest)
    with pytest.raises(RecordError, match="clips of 7 frames or more, and there is none"):
        vfit.run("test")


def _journal(paths: Paths) -> list[str]:
    return paths.vfit.with_name("train.jsonl").read_text().splitlines()


def _line(text: str) -> dict[str, float]:
    found: dict[str, float] = json.loads(text)
    return found


def _weights(paths: Paths) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(paths.vfit, weights_only=True)["model"]
    return found
