from collections.abc import Sequence
from pathlib import Path

import pytest

from tips.reporting import drawn, figures
from tips.reporting.figures import Bar
from tips.reporting.rows import COLUMNS


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
    gain = {"baseline": "hrnet", "gain_ours": "+1.00", "low": "+0.50", "high": "+1.50"}
    rows = [
        dict.fromkeys(COLUMNS, "") | gain | {"row": name, "variant": name, "origin": origin}
        for name, origin in origins.items()
    ]
    ((caption, _),) = drawn.gains({"table-M": rows}, "PCK", tmp_path)
    assert caption.startswith("Gain over the single-frame backbone")
    assert seen == [(["tips", "dcpose (re-impl.)", "tdmi (surrogate)"], "PCK")]
