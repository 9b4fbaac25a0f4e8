import typed
from typed import gain

from tips.config import load_study
from tips.tables.length import LENGTH, LengthLine


def test_each_control_is_told_of_once() -> None:
    own = {"variant": "concat-long", "label": "far", "baseline": "concat"}
    rows = [
        typed.row(LengthLine, variant="concat", label="near", baseline="hrnet", **gain("above")),
        typed.row(LengthLine, **own, **gain("above")),
    ]
    page = typed.page(load_study("desk", typed.EXPERIMENTS), {LENGTH: rows})
    assert LENGTH.section is not None
    text = LENGTH.section(page).body
    told = [line for line in text.splitlines() if line.startswith("- ")]
    assert [line.split(":")[0] for line in told] == ["- near", "- far"]
    assert "| far | 2x |" in text
