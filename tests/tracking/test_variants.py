"""What the tables say of a variant, as tags and metrics of its run."""

import re
from pathlib import Path
from typing import Any

from tips.tables.cells import Absent
from tips.tables.claims import ClaimRow
from tips.tables.compared import Line
from tips.tables.published import Tables, load_tables
from tips.tracking.variants import OF_STUDY, joined, table_gains, table_tags, verdict_tags

ROW = {"label": "", "printed": (), "boxes": "gt"}
TABLE = {
    "name": "2",
    "roman": "II",
    "title": "",
    "dataset": None,
    "columns": (),
    "value": None,
    "baseline": None,
    "notes": (),
    "claims": (),
    "rows": (
        ROW | {"row": "e", "variant": "full"},
        ROW | {"row": "f", "variant": "full"},
        ROW | {"row": "g", "variant": None},
        ROW | {"row": "h", "variant": "hrnet"},
        ROW | {"row": "boxes", "variant": "full", "boxes": "detected"},
    ),
}
TABLES = Tables.model_validate({"tables": (TABLE, TABLE | {"name": "6", "roman": "VI"})})


def line(row: str, variant: str, baseline: str, gain: Any, **more: Any) -> Line:
    wide = (Absent.NONE,) * 3
    cells = dict.fromkeys(("label", "paper", "scale", "note", "origin"), "")
    numbers = {"ours": 50.0, "sd": Absent.NONE, "n_seeds": 3, "status": "done", "gain_paper": None}
    value, low, high, verdict = gain
    gains = {"gain_ours": value, "low": low, "high": high, "verdict": verdict}
    gains |= dict(zip(("gain_wide", "low_wide", "high_wide"), wide, strict=True))
    gains |= {"verdict_wide": ""} | more
    return Line(row=row, variant=variant, baseline=baseline, **cells, **numbers, **gains)


ROWS = {
    "table-2": [
        line("e", "full", "hrnet", (2.0, 1.5, 2.5, "above"), gain_wide=-0.5, verdict_wide="below"),
        line("h", "hrnet", "", (Absent.NONE, Absent.NONE, Absent.NONE, "")),
        line("boxes", "full", "hrnet", (9.0, 8.0, 10.0, "above")),
        line("g", "", "hrnet", (Absent.NONE, Absent.NONE, Absent.NONE, "")),
    ],
    "table-5": [
        line("8", "groups-8", "groups-1", (0.1, Absent.UNKNOWN, Absent.UNKNOWN, "unknown"))
    ],
}


def claim(row: str, verdict: str) -> ClaimRow:
    spread = {"p_adjusted": 0.01, "sequences_sd": 0.1, "seeds_sd": 0.1, "n_seeds": 3}
    return ClaimRow(
        **{"table": "2", "table_roman": "II", "claim": "it is better", "row": row, "than": "h"},
        **{"part": "", "expects": "more", "paper": "", "ours": 1.0, "low": 0.5, "high": 1.5},
        **{"margin": 0.5, "verdict": verdict, "decides": "", "n_sequences": 50, **spread},
        than_origin="",
    )


def test_rows_of_one_table_are_joined_and_tables_listed() -> None:
    assert table_tags(TABLES) == {
        "full": {
            "tips.origin": "ours",
            "tables": "II, VI",
            "table.II": "e, f",
            "table.VI": "e, f",
        },
        "hrnet": {"tips.origin": "ours", "tables": "II, VI", "table.II": "h", "table.VI": "h"},
    }


def test_tables_of_our_own_are_tags_too() -> None:
    tags = table_tags(load_tables(Path(__file__).parents[2] / "experiments/tables.yaml"))
    assert tags["dcpose"] == {
        "tips.origin": "re-implemented",
        "tables": "II, M",
        "table.II": "DCPose",
        "table.M": "DCPose",
    }
    assert tags["interim-true"] == {
        "tips.origin": "ours",
        "tables": "interim",
        "table.interim": "true",
    }
    assert tags["tdmi"]["tips.origin"] == "re-implemented, MI surrogate"
    assert tags["tips"]["table.M"] == "TIPS"
    assert all(re.fullmatch(r"[\w. /-]+", name) for own in tags.values() for name in own)


def test_gains_over_the_single_frame_backbone_have_the_short_names() -> None:
    assert table_gains(TABLES, ROWS) == {
        "full": {"gain": 2.0, "low": 1.5, "high": 2.5, "various/over concat-wide/gain": -0.5},
        "hrnet": {},
        "groups-8": {"various/over groups-1/gain": 0.1},
    }


def test_verdicts_and_conclusions_are_tags_of_the_row_that_they_are_about() -> None:
    tags = verdict_tags(TABLES, ROWS, [claim("e", "shown"), claim("f", "opposite")])
    assert tags["full"] == {
        "verdict": "above",
        "verdict over concat-wide": "below",
        "conclusions": "opposite: II (f) - (h), it is better; shown: II (e) - (h), it is better",
    }
    assert tags["groups-8"] == {"verdict over groups-1": "unknown"}
    assert "hrnet" not in tags


def test_every_tag_of_the_study_is_known_as_one() -> None:
    tags = joined(
        table_tags(TABLES),
        verdict_tags(TABLES, ROWS, [claim("e", "shown")]),
        {"full": {"tips.parent": "tips", "tips.differs": "a: 1 -> 2"}},
    )
    assert len(tags["full"]) == 9
    assert all(OF_STUDY.fullmatch(name) for own in tags.values() for name in own)
    for other in ("tips.variant", "tips.run_key", "mlflow.parentRunId", "mine", "tips.times"):
        assert not OF_STUDY.fullmatch(other)
