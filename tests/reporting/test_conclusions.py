from collections.abc import Sequence
from typing import Any

import pytest
import typed
from typed import gain, line

from tips.config import load_study
from tips.reporting.conclusions import answer
from tips.tables.ablations import COMPONENTS
from tips.tables.controls import CONTROLS, ControlLine
from tips.tables.methods import METHODS, MethodLine
from tips.tables.row import Row
from tips.tables.same_variant import SAME_VARIANT, CheckRow
from tips.tables.sheet import Sheet

FULL = {"ours": "37.00", "over_mean_pose": "+17.00"}
CHECK = {"sequences": "130", "pairs": "0", "separable": "0", "remembered": "0"}


def rival(key: str, over: str, ours: str = "36.00", **cells: str) -> MethodLine:
    own = {"row": key, "label": key, "variant": key, "origin": "re-implemented"}
    return typed.row(MethodLine, **own, ours=ours, tips_verdict=over, **cells)


def controls(**changed: dict[str, str]) -> list[ControlLine]:
    missing = {"ours": "missing", "status": "missing"}
    keys = ("mean-pose", "full", "single-frame", "single-frame-scratch")
    return [typed.row(ControlLine, **({"row": key} | changed.get(key, missing))) for key in keys]


def said(changed: dict[Sheet[Any], Sequence[Row]] | None = None, scale: str = "desk") -> str:
    """The answer of a study of one seed each, where nothing can be separable."""
    full = gain("not separable") | {"ours": "37.00", "gain_paper": "+8.9", "n_seeds": "1"}
    wide = {"gain_wide": "+0.20", "low_wide": "-1.00", "high_wide": "+1.40"}
    rows: dict[Sheet[Any], Sequence[Row]] = {
        COMPONENTS: [
            line(variant="hrnet", ours="36.00", n_seeds="1"),
            line(variant="tips", **full, **wide),
        ],
        CONTROLS: controls(),
        SAME_VARIANT: [typed.row(CheckRow, **CHECK)],
    }
    study = load_study(scale, typed.EXPERIMENTS, "x" if scale != "desk" else None)
    return answer(typed.page(study, rows | (changed or {})))


def test_the_metric_is_the_datasets() -> None:
    text = said(scale="paper-jhmdb-1")
    assert "Single-frame backbone: PCK 36.00 (1). Full model: PCK 37.00 (1)." in text
    assert text.count("PCK points") == 2
    assert "AP" not in text


def test_rows_of_rivals_are_counted_and_empty_groups_left_out() -> None:
    rows = [rival("posewarper", "above"), rival("dcpose", "not separable"), rival("tdmi", "above")]
    assert (
        "Against 3 rows of re-implemented networks of other papers, on the same boxes and backbone "
        "(Table M names every setting that departs), the full model is **above** posewarper, tdmi; "
        "**not separable** from dcpose.\n"
    ) in said({METHODS: rows})


def test_rivals_that_are_not_above_the_backbone_are_named() -> None:
    words = "Not above the backbone themselves: dsta, tdmi; here a gain over them says no more"
    rows = [
        rival("dcpose", "above", **gain("above")),
        rival("dsta", "above", **gain("not separable")),
        rival("tdmi", "above", **gain("below")),
    ]
    assert words in said({METHODS: rows})
    assert "themselves" not in said({METHODS: rows[:1]})


def test_rivals_without_the_full_model_were_trained_all_the_same() -> None:
    text = said({METHODS: [rival("dcpose", ""), rival("tdmi", "", "missing")]})
    assert "were trained here; their comparison with the full model is missing." in text
    for nobody in ([], [rival("tdmi", "", "missing")]):
        text = said({METHODS: nobody})
        assert "No network that the paper compares itself with was trained here." in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("below", "is below the backbone: the backbone looks at the image."),
        ("not separable", "whether the backbone looks at the image is not shown."),
        ("above", "is **above** the backbone, which has learnt nothing: no row below means"),
    ],
)
def test_the_mean_pose_says_what_its_interval_does(verdict: str, words: str) -> None:
    mean = gain(verdict) | {"ours": "20.00"}
    text = said({CONTROLS: controls(**{"mean-pose": mean, "full": FULL})})
    assert "A mean pose put into the box (20.00), +1.00 [+0.50, +1.50], is" in text
    assert words in text
    assert "The full model (37.00) over a mean pose put into the box (20.00): +17.00 points" in text


def test_without_a_backbone_nothing_is_said_of_it() -> None:
    mean = {"ours": "20.00", "gain_ours": "missing", "low": "missing", "high": "missing"}
    text = said({CONTROLS: controls(**{"mean-pose": mean, "full": FULL})})
    assert "looks at the image" not in text
    assert "over a mean pose put into the box (20.00): +17.00 points, without an interval" in text


def test_controls_claim_nothing_of_other_rows() -> None:
    changed = {"single-frame": gain("not separable"), "single-frame-scratch": gain("below")}
    changed = {key: cells | {"ours": "36.00"} for key, cells in changed.items()}
    text = said({CONTROLS: controls(**changed)})
    assert "control, +1.00 [+0.50, +1.50], is not separable from the backbone.\n" in text
    assert "in this schedule that head, from nothing, does not reach it.\n" in text


def test_chance_is_counted_only_where_something_can_be_separable() -> None:
    unknown = said()
    assert "**nothing is called separable**" in unknown
    assert "by chance" not in unknown
    for known in ("s_shared", "s_seeded"):
        text = said({SAME_VARIANT: [typed.row(CheckRow, **CHECK, **{known: "0.40"})]})
        assert "excludes zero by chance about once in twenty" in text
        assert "nothing is called separable" not in text
