"""The answer in short: sentences made from the tables, never beyond their intervals."""

from collections.abc import Mapping, Sequence

from tips.config import BACKBONE, CAPACITY_CONTROL, SCRATCH, SINGLE_FRAME
from tips.evaluation.intervals import ENOUGH_SEQUENCES
from tips.reporting import markdown, view
from tips.reporting.view import Row

VERDICTS = ("shows", "not separable", "opposite sign", "missing")
WORDS = {
    "shows": "shown, with the paper's sign",
    "not separable": "not separable from no difference",
    "opposite sign": "with the opposite sign",
}
# What a control's interval against the backbone says.
LOOKS = {
    "below": "below the backbone: the backbone looks at the image",
    "not separable": "not separable from the backbone: whether the backbone looks at the image "
    "is not shown",
    "above": "**above** the backbone, which has learnt nothing: no row below means anything",
}
SECOND_STAGE = {
    "above": "above the backbone: part of every gain below is the longer training",
    "not separable": "not separable from the backbone",
    "below": "**below** the backbone, so second stages are undertrained here and their order "
    "means little",
}
FROM_SCRATCH = SECOND_STAGE | {
    "below": "**below** the backbone: in this schedule that head, from nothing, does not reach it",
}


def answer(sheets: Mapping[str, Sequence[Row]], metric: str) -> str:
    """The section's text.

    Args:
        sheets: file stem -> rows of `tabulate`'s CSV files.
        metric: what the dataset's benchmark counts, AP or PCK.
    """
    items = _headline(sheets, metric) + _rivals(sheets["table-M"]) + _checks(sheets)
    parts = [
        markdown.bullets(items),
        _verdicts(sheets["table-claims"]),
        _caution(sheets),
    ]
    return "\n".join(part for part in parts if part)


def _headline(sheets: Mapping[str, Sequence[Row]], metric: str) -> list[str]:
    table = {row["row"]: row for row in sheets["table-2"]}
    base, full = table["HRNet"], table["e"]
    items = [
        f"Single-frame backbone: {_value(base, metric)}. Full model: {_value(full, metric)}.",
        f"Full model over the single-frame backbone: {_gain(full, metric)}; the paper's gain is "
        f"{full['gain_paper']} on PoseTrack2017.",
    ]
    text = view.gain(full, "gain_wide", "low_wide", "high_wide")
    if text and text not in view.NUMBERLESS:
        items.append(
            f"Full model over `{CAPACITY_CONTROL}`, a plain concatenation of its size: "
            f"{text} {metric} points, **{full['verdict_wide']}**. Only this comparison says "
            "something about synthesis and distillation; the one above also holds the gain of "
            "seeing more frames."
        )
    else:
        items.append(
            f"Full model over `{CAPACITY_CONTROL}`, a plain concatenation of its size: missing."
        )
    return items


def _rivals(methods: Sequence[Row]) -> list[str]:
    """How the full model stands to the networks of other papers, trained here (Table M)."""
    met = [row for row in methods if row["origin"] != "ours" and row["variant"] != BACKBONE]
    known = [row for row in met if row["tips_verdict"]]
    if not known and any(map(_known, met)):
        return [
            "Networks that the paper compares itself with were trained here; their comparison "
            "with the full model is missing."
        ]
    if not known:
        return ["No network that the paper compares itself with was trained here."]
    parts = []
    for word in ("above", "not separable", "below"):
        names = ", ".join(row["label"] for row in known if row["tips_verdict"] == word)
        if names:
            parts.append(f"**{word}**{' from' * (word == 'not separable')} {names}")
    rows = "1 row" if len(known) == 1 else f"{len(known)} rows"
    return [
        f"Against {rows} of re-implemented networks of other papers, on the same boxes and "
        "backbone (Table M names every setting that departs), the full model is "
        f"{'; '.join(parts)}.{_weak(known)}"
    ]


def _weak(rivals: Sequence[Row]) -> str:
    """Names the rivals that a gain over says no more of than a gain over the backbone."""
    names = [row["label"] for row in rivals if row["verdict"] in ("not separable", "below")]
    if not names:
        return ""
    return (
        f" Not above the backbone themselves: {', '.join(names)}; here a gain over them says no "
        "more than one over the backbone."
    )


def _checks(sheets: Mapping[str, Sequence[Row]]) -> list[str]:
    controls = {row["row"]: row for row in sheets["table-C"]}
    mean, full = controls["mean-pose"], controls["full"]
    items = _control(mean, f"A mean pose put into the box ({mean['ours']})", LOOKS)
    if _known(full) and _known(mean):
        above = float(full["ours"]) - float(mean["ours"])
        items.append(
            f"The full model ({full['ours']}) over a mean pose put into the box "
            f"({mean['ours']}): {above:+.1f} points, without an interval."
        )
    items += _control(controls[SINGLE_FRAME], "The single-frame control", SECOND_STAGE)
    scratch = controls[SCRATCH]
    items += _control(scratch, "The same control with its head from scratch", FROM_SCRATCH)
    return items


def _control(row: Row, name: str, words: Mapping[str, str]) -> list[str]:
    """What a control's interval against the backbone says, `words` by verdict."""
    if not (_known(row) and row["verdict"]):
        return []
    text = view.gain(row, "gain_ours", "low", "high")
    return [f"{name}, {text}, is {words[row['verdict']]}."]


def _verdicts(claims: Sequence[Row]) -> str:
    counts = {word: [row for row in claims if row["verdict"] == word] for word in VERDICTS}
    checked = len(claims) - len(counts["missing"])
    text = (
        f"The paper's text draws {len(claims)} conclusions from Tables II-VII and Fig. 4 that are "
        f"one row against another; {checked} can be checked here"
    )
    text += (
        " (for the others a run is missing or not part of this scale):\n\n"
        if counts["missing"]
        else ":\n\n"
    )
    items = []
    for word, named in WORDS.items():
        listed = "; ".join(_claim(row) for row in counts[word])
        items.append(f"**{len(counts[word])} {named}**" + (f": {listed}." if listed else "."))
    return text + markdown.bullets(items)


def _claim(row: Row) -> str:
    said = view.claim(row)
    if row["verdict"] == "not separable":
        return f"{said} ({row['table_roman']})"
    return f"{said} ({row['table_roman']}, {row['ours']} [{row['low']}, {row['high']}])"


def _caution(sheets: Mapping[str, Sequence[Row]]) -> str:
    check = sheets["table-AA"][0]
    intervals = sum(row["verdict"] not in ("missing", "") for row in sheets["table-claims"])
    if check["s_shared"] or check["s_seeded"]:
        items = [
            f"An interval excludes zero by chance about once in twenty. {intervals} conclusions "
            f"were looked at, so about {intervals / 20:.1f} are to be expected that are not there."
        ]
    else:
        items = [
            "No variant has three seeds here, so the variance between seeds is unknown and "
            "**nothing is called separable**; intervals cover the choice of sequences alone."
        ]
    if int(check["pairs"]):
        items.append(
            f"A/A check: of {check['pairs']} pairs of seeds of one and the same variant, "
            f"{check['separable']} are called separable."
        )
    if int(check["sequences"]) < ENOUGH_SEQUENCES:
        items.append(
            f"Only {check['sequences']} validation sequences: the intervals are too narrow to be "
            f"trusted (at least {ENOUGH_SEQUENCES} are asked for)."
        )
    return "Read these with care:\n\n" + markdown.bullets(items)


def _known(row: Row) -> bool:
    return row["status"] != "published" and row["ours"] not in view.NUMBERLESS


def _value(row: Row, metric: str) -> str:
    text = view.ours(row)
    return f"{metric} {text}" if _known(row) else text


def _gain(row: Row, metric: str) -> str:
    text = view.gain(row, "gain_ours", "low", "high")
    if not text or text in view.NUMBERLESS:
        return "missing"
    return f"{text} {metric} points: **{view.reading(row)}**"
