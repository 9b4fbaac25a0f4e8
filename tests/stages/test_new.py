"""`tips new` writes a file that is a variant at once, and whose hints are true."""

import re
import shutil
from pathlib import Path

import pytest

from tips import __main__ as main
from tips.config import ConfigError, load_experiment, load_scale, load_study
from tips.config.loader import read_asked
from tips.stages import new

ROOT = Path(__file__).parents[2]
OWN = Path("experiments/own")


@pytest.fixture(autouse=True)
def experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)


def tips(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["tips", "new", *words])
    with pytest.raises(SystemExit) as ended:
        main.app()
    return int(ended.value.code or 0)


def test_a_new_variant_is_its_parent_until_something_is_changed() -> None:
    new.run("mine", "groups-8", "Title: 'mine' # yours", "smoke")
    study = load_study("smoke", Path("experiments"))
    mine, parent = study.variant("mine"), study.variant("groups-8")
    assert (mine.parent, mine.experiment.title) == ("groups-8", "Title: 'mine' # yours")
    assert mine.experiment.meaning() == parent.experiment.meaning()
    first = (OWN / "mine.yaml").read_text().partition("\n")[0]
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert schema is not None
    assert (OWN / schema[1]).is_file()


@pytest.mark.parametrize("parent", ["tips", "concat", "dcpose", "hrnet-ms", "interim-true"])
def test_its_hints_are_what_the_parent_has(parent: str) -> None:
    """With every hint taken at its word the variant is still its parent."""
    new.run("mine", parent, scale="smoke")
    file = OWN / "mine.yaml"
    text = file.read_text()
    keys = re.compile(r"^# (?=\s*\w+:(?: |$))", re.MULTILINE)
    file.write_text(keys.sub("", text))
    assert len(keys.findall(text)) > 30
    study = load_study("smoke", Path("experiments"))
    assert study.variant("mine").experiment.meaning() == study.variant(parent).experiment.meaning()
    asked = read_asked(file)
    assert (asked.seeds, asked.compare) == (study.variant(parent).seeds, (parent,))


def test_values_are_those_of_the_scale() -> None:
    new.run("mine", scale="night")
    scale = load_scale("night", Path("experiments"))
    epochs = load_experiment(Path("experiments/tips.yaml"), scale).training.epochs
    assert f"#   epochs: {epochs}\n" in (OWN / "mine.yaml").read_text()
    new.run("other", scale="paper")  # which needs a dataset's folder for everything else


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("tips",), "NAME: a variant named 'tips' exists already; give another name"),
        (("Groups-8",), "NAME: a variant named 'groups-8' exists already, and names must differ"),
        (("mean-pose",), "NAME: a variant named 'mean-pose' exists already"),
        (("../mine",), "NAME: '../mine' cannot be used: a name has 1 to 64 letters"),
        (("mine", "--from", "tpis"), "--from: no variant 'tpis'; did you mean 'tips'?"),
        (("mine", "--scale", "smok"), "unknown scale 'smok'; did you mean 'smoke'?"),
        (("mine", "--title", "a\nb"), "--title: must be one line of 1 to "),
        (("mine", "--title", " "), "--title: must be one line of 1 to "),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tips(monkeypatch, *words) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {says}")
    assert shown.count("\n") == 1
    assert not list(OWN.glob("*.yaml"))


def test_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tips(monkeypatch, "mine") == 0
    (OWN / "mine.yaml").write_text("extends: ../tips.yaml\ntitle: worked on\n")
    assert tips(monkeypatch, "mine") == tips(monkeypatch, "MINE") == 2
    assert "worked on" in (OWN / "mine.yaml").read_text()
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(OWN)
    OWN.symlink_to(outside)
    assert tips(monkeypatch, "mine") == 2
    assert "is a link" in capsys.readouterr().err
    assert not list(outside.iterdir())


def test_a_guest_keeps_its_name() -> None:
    with pytest.raises(ConfigError, match=r"blazepose\.yaml is a guest of that name"):
        new.run("BlazePose", scale="smoke")
    assert not (OWN / "BlazePose.yaml").exists()
