"""Writes the answer in short: sentences from the tables that say no more than the intervals."""

from collections.abc import Iterable, Mapping, Sequence

from tips.config import BACKBONE, CAPACITY_CONTROL, COPY, FULL, MEAN_POSE, SCRATCH, SINGLE_FRAME
from tips.evaluation.intervals import ENOUGH_SEQUENCES
from tips.tables import length, markdown
from tips.tables.ablations import COMPONENTS
from tips.tables.cells import known, plain, signed
from tips.tables.claims import (
    CLAIMS,
    EQUIVALENT,
    MISSING,
    OPPOSITE,
    SHOWN,
    UNDECIDED,
    ClaimRow,
    checked,
)
from tips.tables.compared import NOT_SEPARABLE, UNKNOWN, Line
from tips.tables.controls import CONTROLS
from tips.tables.methods import METHODS, MethodLine
from tips.tables.published import MARGIN
from tips.tables.same_variant import SAME_VARIANT
from tips.tables.sheet import Page

# What a verdict says of a conclusion, as the head of a list.
HEADS = {
    SHOWN: "shown, with the paper's sign",
    OPPOSITE: "opposite: the other sign, or a difference where the paper sees none",
    EQUIVALENT: "equivalent: no difference as large as the margin",
    UNDECIDED: "undecided: neither a difference nor its absence is shown",
    UNKNOWN: "unknown: too few sequences or seeds for an interval",
    MISSING: "missing: a run is missing or not part of this scale, or the dataset lacks the score",
}
# The same in the page's first sentence.
COUNTED = (
    (SHOWN, "shown here"),
    (OPPOSITE, "with the opposite sign"),
    (EQUIVALENT, "equivalent (no difference as large as the margin)"),
    (UNDECIDED, "undecided"),
    (UNKNOWN, "unknown (too few sequences or seeds)"),
    (MISSING, "missing"),
)
NOBODY_KNOWS = "of unknown certainty: too few sequences or seeds to set it against the backbone"
# Sentences on a control, by the verdict of its interval against the backbone.
LOOKS = {
    "below": "below the backbone: the backbone looks at the image",
    "not separable": "not separable from the backbone: whether the backbone looks at the image "
    "is not shown",
    "above": "**above** the backbone, which has learnt nothing: no row below means anything",
    UNKNOWN: NOBODY_KNOWS,
}
SECOND_STAGE = {
    "above": "above the backbone: part of every gain below is the longer training",
    "not separable": "not separable from the backbone",
    "below": "**below** the backbone, so second stages are undertrained here and their order "
    "means little",
    UNKNOWN: NOBODY_KNOWS,
}
FROM_SCRATCH = SECOND_STAGE | {
    "below": "**below** the backbone: in this schedule that head, from nothing, does not reach it",
}


def answer(page: Page) -> str:
    """Writes the text of the section."""
    items = _headline(page) + _rivals(page.of(METHODS)) + _checks(page)
    parts = [markdown.bullets(items), _verdicts(page.of(CLAIMS)), _caution(page)]
    return "\n".join(part for part in parts if part)


def sentence(page: Page) -> str:
    """Gives the answer in one sentence: how many conclusions are shown, and the full model's gain.

    It counts verdicts and repeats one interval, and says no more than they do.
    """
    rows, full = page.of(CLAIMS), page.row(COMPONENTS, variant=FULL)
    counts = [(sum(row.verdict == verdict for row in rows), words) for verdict, words in COUNTED]
    parts = [f"{count} {words}" for count, words in counts if count]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if parts[1:] else "".join(parts)
    return (
        f"Of {len(rows)} conclusions of the paper: {listed or 'none is asked here'}; the full "
        f"model's gain over the single-frame backbone is {_gain_alone(full, page)}, the paper's "
        f"{full.printed_gain}."
    )


def _gain_alone(row: Line, page: Page) -> str:
    metric = page.study.scale.dataset.metric
    return f"{row.gain.text} {metric} points" if known(row.gain.value) else "missing"


def _headline(page: Page) -> list[str]:
    metric = page.study.scale.dataset.metric
    base, full = (page.row(COMPONENTS, variant=name) for name in (BACKBONE, FULL))
    items = [
        f"Single-frame backbone: {_value(base, metric)}. Full model: {_value(full, metric)}.",
        f"Full model over the single-frame backbone: {_gain(full, metric)}; the paper's gain is "
        f"{full.printed_gain} on PoseTrack2017.",
    ]
    if known(full.wide.value):
        items.append(
            f"Full model over `{CAPACITY_CONTROL}`, a plain concatenation of its size: "
            f"{full.wide.text} {metric} points, **{full.verdict_wide}**. Only this comparison says "
            "something about synthesis and distillation; the one above also holds the gain of "
            "seeing more frames."
        )
    else:
        items.append(
            f"Full model over `{CAPACITY_CONTROL}`, a plain concatenation of its size: missing."
        )
    return items


def _rivals(methods: Sequence[MethodLine]) -> list[str]:
    """Compares the full model with the networks of other papers, trained here (Table M)."""
    met = [row for row in methods if row.origin != "ours" and row.variant != BACKBONE]
    compared = [row for row in met if row.tips_verdict]
    if not compared and any(row.measured for row in met):
        return [
            "Networks that the paper compares itself with were trained here; their comparison "
            "with the full model is missing."
        ]
    if not compared:
        return ["No network that the paper compares itself with was trained here."]
    parts = []
    for word in ("above", NOT_SEPARABLE, "below"):
        names = _labels(row for row in compared if row.tips_verdict == word)
        if names:
            parts.append(f"**{word}**{' from' * (word == NOT_SEPARABLE)} {names}")
    unknown = _labels(row for row in compared if row.tips_verdict == UNKNOWN)
    if unknown:
        parts.append(f"of **unknown** standing against {unknown}")
    rows = "1 row" if len(compared) == 1 else f"{len(compared)} rows"
    return [
        f"Against {rows} of re-implemented networks of other papers, on the same boxes and "
        "backbone (Table M names every setting that departs), the full model is "
        f"{'; '.join(parts)}.{_weak(compared)}"
    ]


def _labels(rows: Iterable[MethodLine]) -> str:
    return ", ".join(markdown.text(row.label) for row in rows)


def _weak(rivals: Sequence[MethodLine]) -> str:
    """Names rivals that are not better than the backbone.

    A gain over them says no more than a gain over the backbone does.
    """
    names = _labels(row for row in rivals if row.verdict in (NOT_SEPARABLE, "below"))
    if not names:
        return ""
    return (
        f" Not above the backbone themselves: {names}; here a gain over them says no "
        "more than one over the backbone."
    )


def _checks(page: Page) -> list[str]:
    mean, full, single, scratch = (
        page.row(CONTROLS, row=key) for key in (MEAN_POSE, "full", SINGLE_FRAME, SCRATCH)
    )
    items = _control(mean, f"A mean pose put into the box ({plain(mean.ours)})", LOOKS)
    if known(full.over_mean_pose):
        items.append(
            f"The full model ({plain(full.ours)}) over a mean pose put into the box "
            f"({plain(mean.ours)}): {signed(full.over_mean_pose)} points, without an "
            "interval."
        )
    items += _control(
        scratch, "One frame through the full final head, from scratch as in every row", FROM_SCRATCH
    )
    items += _control(single, "The same head on top of the backbone's maps", SECOND_STAGE)
    return [*_over_copy(page), *items, *length.moved(page)]


def _over_copy(page: Page) -> list[str]:
    """Says whether the rows that see several frames take more than copying does."""
    rows = [page.row(CONTROLS, row=key) for key in ("full", CAPACITY_CONTROL)]
    told = [f"{markdown.text(row.label)} {row.copy.full}" for row in rows if known(row.over_copy)]
    if not told:
        return []
    return [
        f"Over `{COPY}`, which copies each joint's heat map from the surest of three frames and is "
        f"not trained: {'; '.join(told)}. What is not above it shows nothing of motion."
    ]


def _control(row: Line, name: str, words: Mapping[str, str]) -> list[str]:
    """Says what a control's interval against the backbone means; `words` are given by verdict."""
    if not (row.measured and row.verdict):
        return []
    return [f"{name}, {row.gain.text}, is {words[row.verdict]}."]


def _verdicts(rows: Sequence[ClaimRow]) -> str:
    text = (
        f"The paper's text draws {len(rows)} conclusions from Tables II-VII and Fig. 4 that are "
        f"one row against another; {checked(rows)} can be checked here:\n\n"
    )
    items = []
    for verdict, head in HEADS.items():
        listed = [row for row in rows if row.verdict == verdict]
        if listed or verdict in (SHOWN, OPPOSITE, EQUIVALENT, UNDECIDED):
            said = f": {'; '.join(map(_claim, listed))}" if listed else ""
            items.append(f"**{len(listed)} {head}**{said}.")
    return text + markdown.bullets(items)


def _claim(row: ClaimRow) -> str:
    """Names a conclusion with what its verdict follows from."""
    where = [row.table_roman]
    if row.verdict in (SHOWN, OPPOSITE, EQUIVALENT):
        where.append(row.gain.text)
    if row.verdict == EQUIVALENT:
        where.append(row.within)
    if row.expects == "equal" and row.verdict in (OPPOSITE, EQUIVALENT):
        where.append("as the paper says" if row.verdict == EQUIVALENT else "the paper sees none")
    return f"{markdown.text(row.said)} ({', '.join(where)})"


def how_decided(rows: Sequence[ClaimRow]) -> str:
    """Says how the verdicts on the conclusions come about."""
    finer = sum(row.margin < MARGIN for row in rows)
    return (
        "How it is decided. *Shown* or *opposite*: the difference is significant at 5 %, its "
        "two-sided p-value adjusted by Holm's method for the "
        f"{checked(rows)} conclusions that can be checked. That is stricter than the interval "
        "beside it, which may exclude zero all the same. *Equivalent*: not so, and the difference "
        "surely lies within the margin, which was fixed before the runs: half a point, or the "
        f"paper's own step where that is smaller ({finer} times). This is told by two one-sided "
        "tests at 5 % each, which means that the 90 % interval lies within the margin; they are "
        "not adjusted for the number of conclusions. *Undecided*: neither. Beside it stands what "
        "would decide it: the seeds of both rows, or seeds and validation sequences, with which no "
        "difference would be called equivalent, and one of the margin be shown at the strictest "
        "of Holm's levels, with a probability of 80 % each. Where the paper says that two rows are "
        "about as good, an equivalence is its answer, even if the small difference is significant; "
        "a significant difference that may be larger than the margin is the opposite. "
        "`tips power` tells more.\n"
    )


def _caution(page: Page) -> str:
    check = page.row(SAME_VARIANT)
    varies = known(check.s_shared) or known(check.s_seeded)
    items = []
    if not varies:
        items.append("No variant has three seeds here, so the variance between seeds is unknown.")
    if check.sequences < ENOUGH_SEQUENCES:
        items.append(
            f"Only {check.sequences} validation sequences, and resamples of so few vary too little "
            f"(at least {ENOUGH_SEQUENCES} are asked for)."
        )
    if items:
        items.append("So every interval is **unknown**, and nothing is called separable or not.")
    else:
        items.append(
            "The verdicts on conclusions are adjusted for their number. The words *above* and "
            "*below* in all other places are not: there an interval excludes zero by chance about "
            "once in twenty."
        )
        if check.pairs:
            items.append(
                f"A/A check: of {check.pairs} pairs of seeds of one and the same variant, "
                f"{check.separable} are called separable."
            )
    return "Read these with care:\n\n" + markdown.bullets(items)


def _value(row: Line, metric: str) -> str:
    return f"{metric} {row.shown}" if row.measured else row.shown


def _gain(row: Line, metric: str) -> str:
    if not known(row.gain.value):
        return "missing"
    return f"{row.gain.text} {metric} points: **{row.reading}**"
