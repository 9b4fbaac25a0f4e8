from pathlib import Path

from tips import skeleton
from tips.reporting import figures
from tips.reporting.figures import Bar, Curve, Point

POINTS = [
    Point(n, part, None if n == 8 else 50.0 + n, None if n == 8 else 40.0 + n, 1)
    for n in (1, 3, 5, 8, 15)
    for part in (*skeleton.COLUMNS, "Mean")
]


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
