import pytest

from tips.reporting.answer import answer
from tips.reporting.methods import FULL_OVER
from tips.reporting.rows import COLUMNS
from tips.reporting.view import Row

Sheets = dict[str, list[Row]]


def row(key: str, **cells: str) -> Row:
    empty = dict.fromkeys((*COLUMNS, *FULL_OVER), "")
    return empty | {"row": key, "label": key, "status": "done", "origin": "ours"} | cells


def gain(verdict: str) -> dict[str, str]:
    return {"gain_ours": "+1.00", "low": "+0.50", "high": "+1.50", "verdict": verdict}


def rival(key: str, verdict: str, ours: str = "36.00") -> Row:
    return row(key, variant=key, ours=ours, origin="re-implemented", tips_verdict=verdict)


def sheets(**changed: list[Row]) -> Sheets:
    """A study of one seed each, where nothing can be separable."""
    missing = {"ours": "missing", "status": "missing"}
    full = gain("not separable") | {"ours": "37.00", "gain_paper": "+8.9", "n_seeds": "1"}
    wide = {"gain_wide": "+0.20", "low_wide": "-1.00", "high_wide": "+1.40"}
    check = {"sequences": "130", "pairs": "0", "separable": "0", "s_shared": "", "s_seeded": ""}
    found: Sheets = {
        "2": [row("HRNet", ours="36.00", n_seeds="1"), row("e", **full, **wide)],
        "M": [],
        "C": [
            row(key, **missing)
            for key in ("mean-pose", "full", "single-frame", "single-frame-scratch")
        ],
        "claims": [],
        "AA": [check],
    }
    return {f"table-{name}": rows for name, rows in (found | changed).items()}


def controls(**changed: dict[str, str]) -> list[Row]:
    return [
        row(one["row"], **changed[one["row"]]) if one["row"] in changed else one
        for one in sheets()["table-C"]
    ]


def test_the_metric_is_the_datasets() -> None:
    text = answer(sheets(), "PCK")
    assert "Single-frame backbone: PCK 36.00 (1). Full model: PCK 37.00 (1)." in text
    assert text.count("PCK points") == 2
    assert "AP" not in text


def test_rows_of_rivals_are_counted_and_empty_groups_left_out() -> None:
    rows = [rival("posewarper", "above"), rival("dcpose", "not separable"), rival("tdmi", "above")]
    assert (
        "Against 3 rows of re-implemented networks of other papers, on the same boxes and backbone "
        "(Table M names every setting that departs), the full model is **above** posewarper, tdmi; "
        "**not separable** from dcpose.\n"
    ) in answer(sheets(M=rows), "AP")


def test_rivals_that_are_not_above_the_backbone_are_named() -> None:
    said = "Not above the backbone themselves: dsta, tdmi; here a gain over them says no more"
    rows = [
        rival("dcpose", "above") | gain("above"),
        rival("dsta", "above") | gain("not separable"),
        rival("tdmi", "above") | gain("below"),
    ]
    assert said in answer(sheets(M=rows), "AP")
    assert "themselves" not in answer(sheets(M=rows[:1]), "AP")


def test_rivals_without_the_full_model_were_trained_all_the_same() -> None:
    text = answer(sheets(M=[rival("dcpose", ""), rival("tdmi", "", "missing")]), "AP")
    assert "were trained here; their comparison with the full model is missing." in text
    for nobody in ([], [rival("tdmi", "", "missing")]):
        text = answer(sheets(M=nobody), "AP")
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
    text = answer(sheets(C=controls(**{"mean-pose": mean, "full": {"ours": "37.00"}})), "AP")
    assert "A mean pose put into the box (20.00), +1.00 [+0.50, +1.50], is" in text
    assert words in text
    assert "The full model (37.00) over a mean pose put into the box (20.00): +17.0 points" in text


def test_without_a_backbone_nothing_is_said_of_it() -> None:
    mean = {"ours": "20.00", "gain_ours": "missing", "low": "missing", "high": "missing"}
    text = answer(sheets(C=controls(**{"mean-pose": mean, "full": {"ours": "37.00"}})), "AP")
    assert "looks at the image" not in text
    assert "over a mean pose put into the box (20.00): +17.0 points, without an interval" in text


def test_controls_claim_nothing_of_other_rows() -> None:
    changed = {"single-frame": gain("not separable"), "single-frame-scratch": gain("below")}
    changed = {key: cells | {"ours": "36.00"} for key, cells in changed.items()}
    text = answer(sheets(C=controls(**changed)), "AP")
    assert "control, +1.00 [+0.50, +1.50], is not separable from the backbone.\n" in text
    assert "in this schedule that head, from nothing, does not reach it.\n" in text


def test_chance_is_counted_only_where_something_can_be_separable() -> None:
    unknown = answer(sheets(), "AP")
    assert "**nothing is called separable**" in unknown
    assert "by chance" not in unknown
    check = dict(sheets()["table-AA"][0])
    for known in ("s_shared", "s_seeded"):
        text = answer(sheets(AA=[check | {known: "0.40"}]), "AP")
        assert "excludes zero by chance about once in twenty" in text
        assert "nothing is called separable" not in text
