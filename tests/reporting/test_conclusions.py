import re
from collections.abc import Sequence
from typing import Any

import pytest
import typed
from studies import study_of
from typed import gain, line

from tips.reporting.conclusions import answer, how_decided
from tips.tables.ablations import COMPONENTS
from tips.tables.claims import CLAIMS, ClaimRow
from tips.tables.controls import CONTROLS, ControlLine
from tips.tables.length import LENGTH, LengthLine
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
    keys = ("mean-pose", "full", "concat-wide", "single-frame", "single-frame-scratch")
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
    study = study_of(scale)
    return answer(typed.page(study, rows | (changed or {})))


def test_the_metric_is_the_datasets() -> None:
    text = said(scale="paper-jhmdb-1")
    assert "Single-frame backbone: PCK 36.00 (1). Full model: PCK 37.00 (1)." in text
    assert text.count("PCK points") == 2
    assert "AP" not in text


def test_a_rival_with_an_unknown_interval_is_not_called_alike() -> None:
    rows = [rival("posewarper", "above"), rival("dcpose", "unknown", **gain("unknown"))]
    text = said({METHODS: rows})
    assert (
        "the full model is **above** posewarper; of **unknown** standing against dcpose.\n" in text
    )
    assert "not separable" not in text.split("Against 2 rows")[1].split("\n")[0]
    assert "themselves" not in text


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
        ("unknown", "is of unknown certainty: too few sequences or seeds to set it against"),
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
    assert "maps, +1.00 [+0.50, +1.50], is not separable from the backbone.\n" in text
    assert "in this schedule that head, from nothing, does not reach it.\n" in text


@pytest.mark.parametrize("control", ["mean-pose", "single-frame", "single-frame-scratch"])
def test_an_unknown_interval_is_never_called_not_separable(control: str) -> None:
    cells = gain("unknown") | {"low": "unknown", "high": "unknown", "ours": "2.00"}
    (line,) = (
        line
        for line in said({CONTROLS: controls(**{control: cells, "full": FULL})}).splitlines()
        if "[interval unknown]" in line
    )
    assert "of unknown certainty" in line
    assert "not separable" not in line


KNOWN = {"s_shared": "0.40"}


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"sequences": "130"}, "so the variance between seeds is unknown"),
        ({"sequences": "39"} | KNOWN, "Only 39 validation sequences"),
        ({"sequences": "1"}, "Only 1 validation sequences"),
    ],
)
def test_where_intervals_are_unknown_nothing_is_said_of_chance(
    check: dict[str, str], words: str
) -> None:
    text = said({SAME_VARIANT: [typed.row(CheckRow, **(CHECK | check))]})
    assert words in text
    assert "every interval is **unknown**" in text
    assert "once in twenty" not in text


@pytest.mark.parametrize("known", ["s_shared", "s_seeded"])
def test_chance_is_spoken_of_where_intervals_are_known(known: str) -> None:
    text = said({SAME_VARIANT: [typed.row(CheckRow, **CHECK, **{known: "0.40"})]})
    assert "once in twenty" in text
    assert "unknown**" not in text


def claim(verdict: str, **cells: str) -> ClaimRow:
    own = {"table_roman": "II", "expects": "more", "margin": "0.5", "n_sequences": "130"}
    own |= {"claim": f"it is {verdict}", "ours": "+1.00", "low": "+0.50", "high": "+1.50"}
    return typed.row(ClaimRow, **(own | {"verdict": verdict, "p_adjusted": "0.01"} | cells))


def lists(rows: list[ClaimRow]) -> dict[str, str]:
    """The lists of conclusions by their verdict."""
    answer = said({CLAIMS: rows})
    items = re.findall(r"^- \*\*(\d+ \w+).*?\*\*(?:: (.*))?\.$", answer, re.MULTILINE)
    return dict(items)


def test_conclusions_are_counted_and_listed_by_verdict() -> None:
    absent = {"p_adjusted": "unknown"}
    verdicts = ("shown", "opposite", "equivalent", "undecided")
    rows = [claim(word) for word in verdicts] + [claim("unknown", **absent)]
    found = lists([*rows, claim("missing", **absent), claim("missing", **absent)])
    assert list(found) == [*(f"1 {word}" for word in (*verdicts, "unknown")), "2 missing"]
    assert found["1 shown"] == "it is shown (II, +1.00 [+0.50, +1.50])"
    assert found["1 equivalent"].endswith("+1.50], ±0.5)")
    assert found["1 undecided"] == "it is undecided (II)"


def test_empty_lists_of_decisions_are_told_and_others_left_out() -> None:
    assert list(lists([claim("undecided")])) == [
        *("0 shown", "0 opposite", "0 equivalent", "1 undecided")
    ]


@pytest.mark.parametrize(
    ("verdict", "words"), [("equivalent", "as the paper says"), ("opposite", "the paper sees none")]
)
def test_where_the_paper_sees_no_difference_it_is_said(verdict: str, words: str) -> None:
    (listed,) = (found for found in lists([claim(verdict, expects="equal")]).values() if found)
    assert listed.endswith(f"{words})")
    (other,) = (found for found in lists([claim(verdict)]).values() if found)
    assert words not in other


def test_how_it_is_decided_counts_what_it_speaks_of() -> None:
    rows = [claim("shown"), claim("equivalent", margin="0.2"), claim("missing", p_adjusted="")]
    text = how_decided(rows)
    assert "for the 2 conclusions that can be checked" in text
    assert "(1 times)" in text


def test_what_does_not_beat_copying_is_told_to_show_no_motion() -> None:
    copy = {"over_copy": "+1.00", "low_copy": "+0.50", "high_copy": "+1.50", "label": "the model"}
    full = FULL | copy | {"verdict_copy": "above", "status": "done"}
    wide = FULL | copy | {"verdict_copy": "not separable", "status": "done", "label": "the rival"}
    text = said({CONTROLS: controls(**{"full": full, "concat-wide": wide})})
    (told,) = [one for one in text.splitlines() if one.startswith("- Over `copy-3`")]
    assert "the model +1.00 [+0.50, +1.50] above; the rival" in told
    assert "the rival +1.00 [+0.50, +1.50] not separable." in told
    assert "Over `copy-3`" not in said()


def test_controls_with_twice_the_steps_say_by_how_much_they_move() -> None:
    rows = [
        typed.row(LengthLine, label=label, baseline=base, **gain("above") | {"gain_ours": moved})
        for label, base, moved in (("near", "a", "+0.30"), ("far", "b", "-0.70"))
    ]
    text = said({LENGTH: rows})
    assert "- near: +0.30 [+0.50, +1.50] against half the steps, less than 0.5 points." in text
    assert "- far: -0.70 [+0.50, +1.50] against half the steps, **not less** than 0.5" in text
