from collections.abc import Sequence
from pathlib import Path

import pytest
from typed import gain, line

from tips.reporting import charts, figures
from tips.reporting.figures import Bar


def test_bars_say_whose_network_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], str]] = []

    def forest(bars: Sequence[Bar], title: str, metric: str, stem: Path) -> None:
        seen.append(([bar.label for bar in bars], metric))

    monkeypatch.setattr(figures, "forest", forest)
    origins = {
        "tips": "ours",
        "dcpose": "re-implemented",
        "tdmi": "re-implemented, MI surrogate",
    }
    rows = [
        line(baseline="hrnet", row=name, variant=name, origin=origin, **gain("above"))
        for name, origin in origins.items()
    ]
    ((caption, _),) = charts.gains(rows, "PCK", tmp_path)
    assert caption.startswith("Gain over the single-frame backbone")
    assert seen == [(["tips", "dcpose (re-impl.)", "tdmi (surrogate)"], "PCK")]
