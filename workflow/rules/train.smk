# These rules train and predict. The meaning of a variant's YAML is a parameter; the file is no
# input, so that an edit which changes no value repeats no training.
SOURCES = sorted(Path("csrc").glob("[a-z]*.*"))


rule kernels:
    input:
        SOURCES,
    output:
        PATHS.kernels,
    priority: 20  # before the stages, which would each build them
    params:
        source=contents(*SOURCES),
    shell:
        "study kernels 2> >(tee {log:q} >&2)"


# Second stages read features, but are no consumers of this rule: they wait for features that are
# being made, and make what they lack themselves. So deleting features starts nothing, and code that
# makes others marks trainings and does not repeat them. `all` asks for what unfinished runs need.
rule features:
    input:
        feature_inputs,
        annotations=lambda wildcards: PATHS.annotations(
            "val" if cache(wildcards).validation else "train"
        ),
        manifest=PATHS.manifest,
        packed=PATHS.packed / "packed.json",
    output:
        PATHS.features("{part}", "{key}", "{source}"),
    priority: 12
    group:
        SEEING
    resources:
        gpu=cards,
    params:
        offsets=lambda wildcards: cache(wildcards).offsets,
        code=feature_code,
    shell:
        "study features --part {wildcards.part} --key {wildcards.key} "
        "--source {wildcards.source} --device $DEVICE --threads {threads} "
        "2> >(tee {log:q} >&2)"


rule train:
    input:
        training_inputs,
        annotations=[PATHS.annotations(split) for split in SPLITS if split != "val"],
        manifest=PATHS.manifest,
        packed=PATHS.packed / "packed.json",
    output:
        checkpoint=PATHS.checkpoint("{variant}", "{seed}"),
        journal=PATHS.run("{variant}", "{seed}") / "train.jsonl",
        provenance=PATHS.run("{variant}", "{seed}") / "provenance.json",
    priority: 10
    threads: training_cores
    resources:
        gpu=training_cards,
        runtime=training_time,
    params:
        meaning=meaning,
        trigger=trigger,
    shell:
        "study train --variant {wildcards.variant} --seed {wildcards.seed} "
        "--trigger '{params.trigger}' --device $DEVICE --threads {threads} 2> >(tee {log:q} >&2)"


rule predict:
    input:
        prediction_inputs,
        annotations=PATHS.annotations("val"),
        boxes=PATHS.boxes("gt"),
        packed=PATHS.packed / "packed.json",
        checkpoint=PATHS.checkpoint("{variant}", "{seed}"),
    output:
        predictions=PATHS.predictions("{variant}", "{seed}", "gt"),
        record=PATHS.predicted("{variant}", "{seed}", "gt"),
    group:
        SCORING
    resources:
        gpu=cards,
    params:
        boxes="gt",
        settings=settings("predict"),
        code=prediction_code,
    shell:
        "study predict --variant {wildcards.variant} --seed {wildcards.seed} "
        "--boxes {params.boxes} --device $DEVICE --threads {threads} 2> >(tee {log:q} >&2)"


use rule predict as predict_detected with:
    input:
        prediction_inputs,
        annotations=PATHS.annotations("val"),
        boxes=PATHS.boxes("detected"),
        packed=PATHS.packed / "packed.json",
        checkpoint=PATHS.checkpoint("{variant}", "{seed}"),
    output:
        predictions=PATHS.predictions("{variant}", "{seed}", "detected"),
        record=PATHS.predicted("{variant}", "{seed}", "detected"),
    params:
        boxes="detected",
        settings=settings("predict"),
        code=prediction_code,


rule mean_pose:
    input:
        annotations=[PATHS.annotations(split) for split in ("train", "val")],
        boxes=PATHS.boxes(BOXES),
    output:
        predictions=PATHS.predictions(MEAN_POSE, "0", BOXES),
        record=PATHS.predicted(MEAN_POSE, "0", BOXES),
    localrule: True
    params:
        settings=settings("mean_pose"),
        code=heavy_code("mean_pose"),
    shell:
        "study mean-pose 2> >(tee {log:q} >&2)"
