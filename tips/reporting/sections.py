"""The report's sections on results: tables, Fig. 4, Table S, subsets, controls, interim frames."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tips import skeleton
from tips.config import FULL, Study
from tips.evaluation.synthesis import SOURCES
from tips.reporting import markdown, sources, view
from tips.reporting.answer import answer
from tips.reporting.published import Table, Tables, check_totals
from tips.reporting.view import Row

Sheets = Mapping[str, Sequence[Row]]
NOTED = "\nWhere the paper contradicts itself or leaves something open:\n\n"
LISTED = "\n### The conclusions one by one\n\n"


class Section(NamedTuple):
    """One section of the report."""

    title: str
    body: str


def introduction(note: str) -> Section:
    """What the page is, and what it does not claim."""
    body = (
        f"{note}\n\n"
        "TIPS estimates a person's pose in a video frame from a window of frames: it synthesizes "
        "poses *between* neighbouring frames and distils what groups of body parts share. This "
        "page sets the paper's ablations (Tables II-VII, Fig. 4) and the networks that it compares "
        "itself with (Table M) beside trainings of re-implementations on the same data, boxes and "
        "backbone.\n\n"
        + markdown.bullets(
            [
                "**Compare gains, not levels.** The question is whether the same change moves "
                "the number the same way.",
                "Every gain has a 95 % interval: resampled validation sequences plus the variance "
                "between seeds. Where it holds zero the page says *not separable* and nothing "
                "more.",
                "All variants and seeds share one frozen stage-one backbone where the scale says "
                "so; seeds then vary the second stage only.",
                "*missing*, *failed*, *partial*, *stale* (made by other code than the present one; "
                "the note says what changed) and *published only* mean what they say.",
            ]
        )
    )
    return Section("What this is", body)


def short_answer(sheets: Sheets, metric: str) -> Section:
    """Generated sentences in the dataset's metric, and the list of the paper's conclusions."""
    rows = [
        [
            row["table_roman"],
            view.claim(row),
            f"{view.key(row['row'])} - {view.key(row['than'])}",
            row["paper"],
            view.gain(row, "ours", "low", "high"),
            row["verdict"],
        ]
        for row in sheets["table-claims"]
    ]
    header = ("table", "what the paper concludes", "rows", "paper", "ours [95 %]", "here")
    listed = markdown.table(header, rows, "lllrrl")
    body = answer(sheets, metric) + LISTED + listed
    return Section("The answer in short", body)


def compared(table: Table, rows: Sequence[Row], speed: sources.Speed | None) -> Section:
    """One of Tables II-VII."""
    header, cells, align = view.comparison(rows)
    if "speed_ours" in rows[0]:
        header, align = (*header, *SPEED), align + "r"
        cells = [[*cell, *_speed(row)] for cell, row in zip(cells, rows, strict=True)]
    body = _heading(table) + markdown.table(header, cells, align)
    if "speed_ours" in rows[0]:
        body += _speed_note(speed) + SIZES
    if table.notes:
        body += NOTED + markdown.bullets(table.notes)
    return Section(f"Table {table.roman}: {table.title.lower()}", body)


def _heading(table: Table) -> str:
    parts = [f"Published on {table.dataset}."] if table.dataset else []
    if table.baseline:
        parts.append(f"Gains are over `{table.baseline}`, intervals are 95 %.")
    return " ".join(parts) + "\n\n"


SPEED = (
    *("FPS, paper", "time, interim given", "time, interim made"),
    *("params, paper's size", "GMAC, paper's size"),
)
SIZES = (
    "\nParameters and GMAC are the row's network at the paper's size (`tips cost`). Where it looks "
    "at interim frames, VFIT-B is in them: once in the parameters, once per interim frame in the "
    "GMAC.\n"
)


def _speed(row: Row) -> list[str]:
    """The cells of a row of Table VI under the heads SPEED."""
    params = row["params_paper_size"]
    return [
        row["fps_paper"],
        _times(row["speed_ours"]),
        _times(row["speed_interim_made"]),
        f"{int(params) / 1e6:.1f}M" if params.isdigit() else params,
        row["gmac_paper_size"],
    ]


def _times(ratio: str) -> str:
    return f"x {ratio}" if ratio and ratio not in view.NUMBERLESS else ratio


def _speed_note(speed: sources.Speed | None) -> str:
    if speed is None:
        return "\nOur speed was not measured (speed.json is missing).\n"
    more = "; ".join(f"`{name}` {value:.2f}" for name, value in speed.interim.items())
    return (
        f"\nTime, ours: wall time per window over that of `{speed.reference}`, models interleaved "
        f"in one process ({speed.device}, {speed.threads} threads, {speed.kernels} kernels). "
        "*Given*: interim frames at hand; *made*: the time of making each of the window's as well, "
        "as the paper's FPS have it. Rows that look at none have one figure."
        + (
            f" One interim frame of the crop's size costs, in the same unit: {more}."
            if more
            else ""
        )
        + "\n"
    )


def groups_table(table: Table, rows: Sequence[Row], picture: str) -> Section:
    """Table V with Fig. 4."""
    body = _heading(table) + markdown.table(*view.comparison(rows))
    parts = [[row["groups"], row["joints"], row["ARI"] or "-"] for row in rows]
    listed = markdown.table(("N", "groups", "ARI of the data-driven groups"), parts, "llr")
    body += "\n" + markdown.folded("The groups, resolved to 15 joints", listed)
    body += "\n### Fig. 4\n\n" + picture
    body += NOTED + markdown.bullets(table.notes)
    return Section("Table V and Fig. 4: part groups", body)


def figure_4_numbers(rows: Sequence[Row]) -> str:
    """Fig. 4's numbers as a table: OKS / AP per part and N."""
    numbers = list(dict.fromkeys(row["groups"] for row in rows))
    value = {(row["groups"], row["part"]): row for row in rows}
    cells = []
    for part in (*skeleton.COLUMNS, "Mean"):
        pairs = [value[number, part] for number in numbers]
        cells.append(
            [part, *(f"{p['oks']} / {p['ap']}" if p["n"] != "0" else p["oks"] for p in pairs)]
        )
    return markdown.table(("OKS / AP", *(f"N = {n}" for n in numbers)), cells, "lr")


def synthesis(rows: Sequence[Row]) -> Section:
    """Table S."""
    by_row: dict[tuple[str, ...], dict[tuple[str, str], Row]] = {}
    for row in rows:
        start = (row["rows"], row["label"], row["time"])
        by_row.setdefault(start, {})[row["source"], row["quartile"]] = row
    main, quarters = [], []
    for (where, label, time), cells in by_row.items():
        if ("", "") in cells:
            main.append([where, label, "", cells["", ""]["status"]])
            continue
        everything = [cells[source, "all"] for source in SOURCES]
        both = [f"{one['error']} / {one['pckh']}" for one in everything]
        main.append([where, label, time, *both, everything[0]["n"]])
        quarters += [
            [where, time, q, *(cells[source, q]["error"] for source in SOURCES)]
            for q in ("1", "2", "3", "4")
        ]
    width = max((len(row) for row in main), default=4)
    header = ("rows", "setting", "s", *SOURCES, "joints")
    body = (
        "How far the synthesized pose is from where the joints really were between the frames: "
        "mean error in px of a map 96 high / PCKh in percent. Beside it, from the same frames, "
        "the point at the same time s on the straight line between the model's own two "
        "predictions and on that between the two true poses. If the synthesizer knew more than "
        "linear motion, it would come below the middle column; the paper's central claim asks for "
        "that, and no table of the paper measures it. To lie there is necessary, not sufficient: "
        "less noise than in the two predictions does it too. No interval is computed.\n\n"
    )
    if not main:
        return Section("Table S: the synthesized poses", body + "No row here synthesizes.\n")
    padded = [[*row, *[""] * (width - len(row))] for row in main]
    body += markdown.table(header[:width] if width < len(header) else header, padded, "lllrrrr")
    if quarters:
        head = ("rows", "s", "speed quartile", *SOURCES)
        slow = markdown.table(head, quarters, "lllrrr")
        body += "\n" + markdown.folded("By quartile of true speed, 4 the fastest (px)", slow)
    else:
        body += "\nThis dataset has no true in-between poses, or no run was found.\n"
    return Section("Table S: the synthesized poses", body)


def subsets(rows: Sequence[Row], metric: str) -> Section:
    """AP (or what else the dataset counts) on clean frames, degraded frames and hidden joints."""
    header = ("variant", "boxes", "all", "clean", "degraded", "hidden", "seeds", "status")
    names = ("variant", "boxes", "all", "clean", "degraded", "hidden", "n_seeds", "status")
    ordered = sorted(rows, key=_by_total)
    body = (
        f"{metric} on clean frames, on degraded frames (blur, shake, darkness) and on joints that "
        "the camera cannot see (for these, an upper bound: false alarms of unmatched people are "
        f"left out). Sorted by {metric} on all; neighbours in this list are usually not "
        "separable.\n\n"
        + markdown.table(header, [[row[name] for name in names] for row in ordered], "llrrrrrl")
    )
    return Section("Clean, degraded, hidden", body)


def _by_total(row: Row) -> tuple[float, str]:
    return (-float(row["all"]) if row["all"] not in view.NUMBERLESS else 1e9, row["variant"])


def controls(table: Table, rows: Sequence[Row], yours: Sequence[Row]) -> Section:
    """Our controls, and the variants that no table names."""
    body = "What the paper does not print and its tables need.\n\n"
    body += _own(rows) + "\n" + markdown.bullets(table.notes)
    body += "\n### Your variants\n\n"
    if yours:
        body += _own(yours)
    else:
        body += (
            "None. A YAML file added to `experiments/ablation/` appears here, in the DAG and in "
            "MLflow without any other edit.\n"
        )
    return Section("Controls and your variants", body)


def _own(rows: Sequence[Row]) -> str:
    """Rows that the paper does not have: without its columns."""
    header, cells, align = view.comparison(rows)
    kept = [index for index, head in enumerate(header) if "paper" not in head]
    return markdown.table(
        [header[index] for index in kept],
        [[cell[index] for index in kept] for cell in cells],
        "".join(align[index] for index in kept),
    )


def reliability(row: Row) -> Section:
    """The A/A check, and how the intervals come about."""
    share = f" ({100 * float(row['share']):.0f} %)" if row["share"] else ""
    pairs = (
        f"{row['separable']} of {row['pairs']} pairs{share} are called separable"
        if int(row["pairs"])
        else "no variant has two seeds, so there is no pair to check"
    )
    body = (
        "Variance of a difference = bootstrap over validation sequences (stratified by motion "
        "where several share one, both rows on the same resamples, seeds averaged inside) + "
        "s² / seeds, where s² is the variance of paired seed differences pooled over all variants "
        "with three seeds; interval = ± 1.96 sd. A difference is taken over the seeds that both "
        "rows have, so it need not be that of two printed means.\n\n"
        + markdown.bullets(
            [
                f"Validation sequences: {row['sequences']}.",
                "s against the shared backbone: "
                + (f"{row['s_shared']} points." if row["s_shared"] else "unknown."),
                "s between two trained variants: "
                + (f"{row['s_seeded']} points." if row["s_seeded"] else "unknown."),
                *_memory(row["remembered"]),
                f"A/A check, every two seeds of one variant through the same rule: {pairs}; "
                "about 5 % are expected.",
            ]
        )
    )
    return Section("How far the intervals can be trusted", body)


def _memory(count: str) -> list[str]:
    if count == "0":
        return []
    return [f"s still counts the scores of {count} deleted runs, so that other rows stay put."]


def learned_middles(study: Study) -> bool:
    """Whether the generator `vfit` was trained on this study's own middle frames."""
    return study.scale.vfit is not None and study.scale.vfit.training is not None


def interim(rows: Sequence[Row], worth: str, study: Study) -> Section:
    """PSNR of the rough interim frames, and what they are worth to the model."""
    cells = [
        [row["generator"], row["split"], row["psnr"] or "-", row["n"], row["status"]]
        for row in rows
    ]
    body = (
        "PSNR in dB of the rough interim frames against the true in-between frames, full frames. "
        "`true` is those frames themselves (rendered data only, where they are never degraded and "
        "have no sensor noise).\n\n"
        + markdown.table(("generator", "split", "PSNR, dB", "frames", "status"), cells, "llrrl")
    )
    if learned_middles(study) and any(row["generator"] == "vfit" for row in rows):
        body += (
            "\n`vfit` was trained here on true middle frames of the training split, so its PSNR "
            "on `train` is in-sample.\n"
        )
    return Section("The rough interim frames", f"{body}{_surpassed(rows, study)}\n{worth}")


def _surpassed(rows: Sequence[Row], study: Study) -> str:
    """A warning where another generator comes nearer to the true frames than the study's own."""
    full = study.variants.get(FULL)
    own = full.experiment.interim_frames if full else ""
    reached = {
        row["generator"]: float(row["psnr"])
        for row in rows
        if row["split"] == "val" and row["status"] == "done" and row["psnr"]
    }
    nearer = [f"`{name}`" for name in reached if own in reached and reached[name] > reached[own]]
    if not nearer:
        return ""
    return (
        f"\n**On `val` {' and '.join(nearer)} came nearer to the true frames than `{own}`, which "
        "the rows with interim frames look at**: read those rows as trained on poor frames.\n"
    )


def state_of_the_art(tables: Tables, sheets: Sheets) -> Section:
    """Tables VIII-XI as printed with our rows on that dataset, and the check of their totals."""
    shown = [table for table in tables.paper if int(table.name) >= 8]
    checks = [check for table in shown for check in check_totals(table)]
    failing = [check for check in checks if not check.holds]
    ours = any(row.variant for table in shown for row in table.rows)
    body = (
        "As printed; rows marked *here* are ours, on the same dataset.\n\n"
        if ours
        else "As printed; nothing of ours stands beside these rows, because this scale names none "
        "of their datasets (`dataset.release`).\n\n"
    )
    body += (
        "PoseTrack's total is the mean of 15 joints, so Total = (3 Head + 2 (the six others)) / "
        f"15. Of {len(checks)} complete rows of Tables VIII-X {len(checks) - len(failing)} agree "
        "within rounding (0.1)"
    )
    if failing:
        listed = "; ".join(
            f"{check.row} (Table {tables.table(check.table).roman}): printed {check.printed}, "
            f"computed {check.computed:.2f}"
            for check in failing
        )
        body += f", these do not: {listed}"
    body += ". Table XI has other joints.\n"
    for table in shown:
        lines = _with_ours(table, sheets[f"table-{table.name}"])
        rows = markdown.table(table.columns, lines, "l" + "r")
        if table.notes:
            rows += "\n" + markdown.bullets(table.notes)
        body += "\n" + markdown.folded(f"Table {table.roman}: {table.dataset}", rows)
    return Section("Tables VIII-XI", body)


def _with_ours(table: Table, rows: Sequence[Row]) -> list[Sequence[str]]:
    """The printed rows, each with our own below it where a variant fills it."""
    lines: list[Sequence[str]] = []
    for printed, row in zip(table.rows, rows, strict=True):
        lines.append(printed.printed)
        if printed.variant:
            own = {part: row[f"ours_{part}"] for part in skeleton.COLUMNS}
            whose = "" if row["origin"] == "ours" else f", {row['origin']}"
            own |= {
                table.columns[0]: f"*here: {printed.variant}{whose}*",
                str(table.value): view.ours(row),
            }
            lines.append([own.get(column, "") for column in table.columns])
    return lines
