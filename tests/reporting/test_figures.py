from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from tips import skeleton
from tips.reporting import figures
from tips.reporting.figures import Bar, Curve, Point

POINTS = [
    Point(n, part, None if n == 8 else 50.0 + n, None if n == 8 else 40.0 + n, 1)
    for n in (1, 3, 5, 8, 15)
    for part in (*skeleton.COLUMNS, "Mean")
]


def bars(*values: float, paper: float | None = None) -> list[Bar]:
    return [Bar(f"{v}", paper, v, v - 0.5, v + 0.5, True) for v in values]


def drawn(given: list[Bar], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Axes:
    """The axis of a forest plot."""
    axes: list[Axes] = []
    monkeypatch.setattr(figures, "save", lambda figure, stem: axes.append(figure.axes[0]))
    figures.forest(given, "t", "AP", folder / "f")
    return axes[0]


@pytest.mark.parametrize("far", [-22.5, 30.0])
def test_a_gain_far_off_is_a_number_at_the_edge(
    far: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = (-4.0, 0.2, *np.linspace(1.0, 3.0, 15))
    alone, both = (
        drawn(bars(*values, paper=5.0), tmp_path, monkeypatch) for values in (near, (*near, far))
    )
    assert both.get_xlim() == pytest.approx(alone.get_xlim(), abs=1)
    (number,) = (text.get_text() for text in both.texts)
    assert float(number.replace("\N{MINUS SIGN}", "-")) == far
    assert not alone.texts


@pytest.mark.parametrize("values", [(0.5, 20.0), (-4.0, -3.0, 0.0, 1.0, 2.0, 5.0, 8.0), (0.0,) * 9])
def test_gains_of_one_size_are_all_drawn(
    values: tuple[float, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axis = drawn(bars(*values), tmp_path, monkeypatch)
    assert not axis.texts
    low, high = axis.get_xlim()
    assert low < min(values) - 0.5 < max(values) + 0.5 < high


def draw(folder: Path) -> None:
    figures.figure_4(POINTS, folder / "figure-4")
    figures.forest(
        [Bar("a", 1.0, 0.5, -0.5, 1.5, False), Bar("b", None, 2.0, 1.0, 3.0, True)],
        "t",
        "PCK",
        folder / "f",
    )
    figures.losses({"a": [Curve("0", [0, 1], [2.0, 1.0])], "b": []}, folder / "losses")


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        draw(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == [f"{s}.{e}" for s in ("f", "figure-4", "losses") for e in ("png", "svg")]
    for file in files:
        first, second = (tmp_path / name / file for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_svg_holds_no_date_and_no_reference(tmp_path: Path) -> None:
    draw(tmp_path)
    text = (tmp_path / "figure-4.svg").read_text()
    assert "<dc:date>" not in text
    assert "<image" not in text


@pytest.mark.parametrize("name", ["a$b", r"$\frac", "$" * 3, "a\x07b\u202e", "x" * 5000])
def test_any_name_can_be_drawn(name: str, tmp_path: Path) -> None:
    figures.losses({name: [Curve(name, [0, 1], [2.0, 1.0])] * 2}, tmp_path / "losses")
    figures.forest([Bar(name, None, 1.0, 0.5, 1.5, True)], "t", "AP", tmp_path / "f")
    assert (tmp_path / "losses.png").stat().st_size < 10**6
