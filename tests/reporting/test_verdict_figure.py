from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from tips.reporting import figures, verdict_figure
from tips.reporting.conclusions import HEADS
from tips.reporting.verdict_figure import LOOKS, Conclusion


def one(verdict: str, ours: float | None = 1.0, paper: float | None = 4.0) -> Conclusion:
    low, high = (None, None) if ours is None else (ours - 0.5, ours + 0.5)
    return Conclusion(f"II  {verdict}", paper, ours, low, high, 0.5, verdict)


def drawn(rows: list[Conclusion], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Axes:
    axes: list[Axes] = []
    monkeypatch.setattr(figures, "save", lambda figure, stem: axes.append(figure.axes[0]))
    verdict_figure.draw(rows, "AP", folder / "f")
    return axes[0]


def test_every_verdict_has_a_look_of_its_own() -> None:
    assert set(LOOKS) == set(HEADS)
    hollow = [(look, name in verdict_figure.HOLLOW) for name, look in LOOKS.items()]
    assert len({*hollow}) == len(LOOKS)


def test_ours_and_the_papers_stand_on_one_axis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [one("shown", 1.0), one("missing", None), one("unknown", -0.3, None)]
    axis = drawn(rows, tmp_path, monkeypatch)
    marks = {(x, y) for line in axis.lines for x, y in zip(*line.get_data(), strict=True)}
    # From top to bottom: the first row stands highest.
    assert {(1.0, 2), (0.5, 2), (1.5, 2), (4.0, 2), (4.0, 1), (-0.3, 0)} <= marks
    assert [text.get_text() for text in axis.texts] == ["unknown", "missing", "shown"]
    assert [bar.get_width() for bar in axis.patches] == [1.0] * 3
    low, high = axis.get_xlim()
    assert low < -0.8 < 4.0 < high


def test_a_difference_far_off_is_a_number_at_the_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = [one("shown", value) for value in np.linspace(0, 3, 15)]
    axis = drawn([*near, one("opposite", -40.0)], tmp_path, monkeypatch)
    assert axis.get_xlim()[0] > -20
    assert "\N{MINUS SIGN}40.0" in [text.get_text() for text in axis.texts]


def test_a_study_without_any_number_is_drawn(tmp_path: Path) -> None:
    verdict_figure.draw([one("missing", None, None)], "PCK", tmp_path / "f")
    assert (tmp_path / "f.svg").stat().st_size > 1000
