# These rules make metrics, tables, pictures, report and the MLflow database. Only `speed`,
# `pictures` and `cost` import torch.
rule evaluate:
    input:
        predictions=PATHS.predictions("{variant}", "{seed}", "gt"),
        annotations=PATHS.annotations("val"),
    output:
        metrics=PATHS.metrics("{variant}", "{seed}", "gt"),
        evidence=PATHS.evidence("{variant}", "{seed}", "gt"),
    wildcard_constraints:
        variant="|".join([*STUDY.variants, MEAN_POSE]),
    group:
        SCORING
    params:
        settings=settings("evaluate"),
        code=heavy_code("evaluate"),
        boxes="gt",
    shell:
        "study evaluate --variant {wildcards.variant} --seed {wildcards.seed} "
        "--boxes {params.boxes} 2> >(tee {log:q} >&2)"


use rule evaluate as evaluate_detected with:
    input:
        predictions=PATHS.predictions("{variant}", "{seed}", "detected"),
        annotations=PATHS.annotations("val"),
    output:
        metrics=PATHS.metrics("{variant}", "{seed}", "detected"),
        evidence=PATHS.evidence("{variant}", "{seed}", "detected"),
    params:
        settings=settings("evaluate"),
        code=heavy_code("evaluate"),
        boxes="detected",


if EMBEDDED is not None and COPY in STUDY.variants:

    rule contract:
        input:
            [PATHS.metrics(name, "0", "gt") for name in (BACKBONE, COPY)],
        output:
            PATHS.contract,
        localrule: True
        params:
            code=light_code("contract"),
        shell:
            "study contract 2> >(tee {log:q} >&2)"


rule speed:
    input:
        [PATHS.checkpoint(name, "0") for name in PROJECT],
        [PATHS.groups(str(count)) for count in SCALE.group_counts],
        vfit_weights() if "vfit" in SCALE.interim else [],
    output:
        PATHS.speed,
    resources:
        gpu=cards,
    params:
        repeats=SCALE.speed_repeats,
        interpolator=lambda wildcards: own_vfit() if "vfit" in SCALE.interim else "",
        code=light_code("speed", *parts_of(*PROJECT)),
    shell:
        "study speed --device $DEVICE " "--threads {threads} 2> >(tee {log:q} >&2)"


COMPARED = [BACKBONE, *(name for name in rivals() if name in STUDY.variants), FULL]


rule pictures:
    input:
        [PATHS.checkpoint(name, "0") for name in (BACKBONE, FULL)],
        [PATHS.predictions(name, "0", BOXES) for name in COMPARED],
        [
            PATHS.evidence(*row)
            for row in SCORED
            if row[0] in (BACKBONE, FULL) and row[2] == BOXES
        ],
        [
            PATHS.interim(generator) / "psnr.json"
            for generator in [STUDY.variant(FULL).experiment.interim_frames]
            if generator is not None
        ],
        "experiments/tables.yaml",
    output:
        PATHS.reports / "figures" / "pictures.json",
    params:
        pictures=SCALE.pictures,
        published=contents("experiments/tables.yaml"),
        code=study_code("pictures", *parts_of(FULL)),
    shell:
        "study pictures 2> >(tee {log:q} >&2)"


TABLES = [sheet.file(PATHS) for sheet in SHEETS if sheet.fill is not None]


rule tabulate:
    input:
        metrics=[PATHS.metrics(*row) for row in SCORED],
        evidence=[PATHS.evidence(*row) for row in SCORED],
        annotations=PATHS.annotations("val"),
        groups=[PATHS.groups(str(count)) for count in SCALE.group_counts],
        interim=[PATHS.interim(generator) / "psnr.json" for generator in SCALE.interim],
        speed=PATHS.speed,
        cost=PATHS.cost,
        guests=[PATHS.guest(name, "metrics.json") for name in SHOWN],
        published="experiments/tables.yaml",
    output:
        TABLES,
    params:
        guests={name: guest.model_dump_json() for name, guest in SHOWN.items()},
        settings=settings("tabulate"),
        marks=marks,
        seeds=config["seeds"],
        code=study_code("tabulate"),
        own=own_variants,
        published=contents("experiments/tables.yaml"),
    shell:
        "study tabulate --seeds {params.seeds} 2> >(tee {log:q} >&2)"


NETWORKS = open_networks(EXPERIMENTS)


rule cost:
    output:
        PATHS.cost,
    params:
        networks=NETWORKS.meaning,
        code=light_code("cost", *NETWORKS.modules),
    shell:
        "stage cost --json {output:q} 2> >(tee {log:q} >&2)"


if EMBEDDED is not None:

    rule card:
        input:
            PATHS.manifest,
        output:
            PATHS.card,
        localrule: True
        params:
            settings=digest(EMBEDDED),
            contract=str(SCALE.contract),
            code=light_code("card"),
        shell:
            "study card 2> >(tee {log:q} >&2)"


rule report:
    input:
        PATHS.cost,
        PATHS.manifest,
        [PATHS.card] if EMBEDDED is not None else [],
        TABLES,
        [file for file in benched() if file.is_file()],
        PATHS.reports / "figures" / "pictures.json",
        metrics=[PATHS.metrics(*row) for row in SCORED],
    output:
        html=report(PATHS.reports / "index.html", category="Report"),
        markdown=PATHS.reports / "report.md",
        numbers=PATHS.numbers,
        checklist=PATHS.checklist,
    localrule: True
    params:
        code=study_code("report"),
        pinned=contents("requirements.lock"),
        seeds=config["seeds"],
        note=SCALE.note,
        benched=lambda wildcards: contents(*benched()),
    shell:
        "study report --seeds {params.seeds} 2> >(tee {log:q} >&2)"


rule track:
    input:
        TABLES,
        PATHS.numbers,  # of the report, which draws figures that MLflow shows
        metrics=[PATHS.metrics(*row) for row in SCORED],
        published="experiments/tables.yaml",
    output:
        update(PATHS.mlflow),
    localrule: True
    params:
        published=contents("experiments/tables.yaml"),
        code=study_code("track"),
        seeds=config["seeds"],
    shell:
        "study track --seeds {params.seeds} 2> >(tee {log:q} >&2)"
