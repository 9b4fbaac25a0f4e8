# These rules make the data: motion capture, bodies and rendered shards; then annotations, packed
# frames, interim frames and groups.
rule fetch:
    output:
        PATHS.motions,
    retries: 1
    localrule: True
    params:
        folder=PATHS.motions.parent,
        code=light_code("fetch"),
    shell:
        "stage fetch --out {params.folder:q} 2> >(tee {log:q} >&2)"


if EMBEDDED is not None:

    rule bodies:
        input:
            PATHS.motions,
        output:
            PATHS.bodies,
        params:
            numbers=[EMBEDDED.bodies, EMBEDDED.bodies_seed],
            settings=f"experiments/scales/{config['scale']}.yaml",
            assets=PATHS.motions.parent,
            code=heavy_code("bodies"),
        shell:
            "stage bodies --assets {params.assets:q} "
            "--settings {params.settings:q} --out {output:q} 2> >(tee {log:q} >&2)"

    rule render:
        input:
            motions=PATHS.motions,
            bodies=PATHS.bodies,
        output:
            PATHS.shard("{split}", "{shard}"),
        params:
            meaning=digest(EMBEDDED),
            settings=f"experiments/scales/{config['scale']}.yaml",
            code=heavy_code("render"),
            motions=PATHS.motions.parent,
            root=PATHS.root,
        shell:
            "stage render --settings {params.settings:q} --motions {params.motions:q} "
            "--bodies {input.bodies:q} --split {wildcards.split} --shard {wildcards.shard} "
            "--root {params.root:q} --out {output:q} 2> >(tee {log:q} >&2)"


if SCALE.dataset.release is not None:

    rule unpack:
        output:
            PATHS.unpacked,
        params:
            release=SCALE.dataset.release,
            root=PATHS.root,
            code=heavy_code("unpack"),
        shell:
            "study unpack 2> >(tee {log:q} >&2)"


rule prepare:
    input:
        shards=shards(),
        given=given_annotations(),
    output:
        annotations=[PATHS.annotations(split) for split in SPLITS],
        boxes=PATHS.boxes("gt"),
        manifest=PATHS.manifest,
    params:
        dataset=given_dataset,
        code=heavy_code("prepare", reader_module(SCALE.dataset.kind)),
    shell:
        "study prepare 2> >(tee {log:q} >&2)"


rule detect:
    input:
        given_boxes(),
        annotations=PATHS.annotations("val"),
        packed=PATHS.packed / "packed.json",
    output:
        PATHS.boxes("detected"),
    priority: 20  # so that a missing file is noticed before the trainings
    resources:
        gpu=cards if SCALE.evaluation.checkpoint else 0,
    params:
        settings=settings("detect"),
        given=lambda wildcards: contents(*given_boxes()),
        code=heavy_code("detect"),
    shell:
        "study detect --device $DEVICE --threads {threads} 2> >(tee {log:q} >&2)"


rule pack:
    input:
        annotations=[PATHS.annotations(split) for split in SPLITS],
    output:
        PATHS.packed / "packed.json",
    params:
        code=heavy_code("pack"),
    shell:
        "study pack 2> >(tee {log:q} >&2)"


if SCALE.vfit is not None and SCALE.vfit.training is not None:

    rule vfit:
        input:
            annotations=PATHS.annotations("train"),
            manifest=PATHS.manifest,
            packed=PATHS.packed / "packed.json",
        output:
            PATHS.vfit,
        priority: 15  # uses cores that are idle during stage one
        resources:
            gpu=cards,
        params:
            settings=digest(SCALE.vfit),
            trigger=vfit_trigger,
        shell:
            "study vfit --trigger '{params.trigger}' --device $DEVICE --threads {threads} "
            "2> >(tee {log:q} >&2)"


if SCALE.interim_shards > 1:

    rule interpolate_shard:
        input:
            interpolator,
            annotations=[PATHS.annotations(split) for split in ("train", "val")],
            packed=PATHS.packed / "packed.json",
        output:
            PATHS.interim_shard("{generator}", "{shard}"),
        priority: 15
        resources:
            gpu=lambda wildcards: (
                cards(wildcards) if wildcards.generator == "vfit" else 0
            ),
        params:
            code=interim_code,
        shell:
            "study interpolate --generator {wildcards.generator} --shard {wildcards.shard} "
            "--device $DEVICE --threads {threads} 2> >(tee {log:q} >&2)"


rule interpolate:
    input:
        interpolator,
        interim_shards,
        annotations=[PATHS.annotations(split) for split in ("train", "val")],
        packed=PATHS.packed / "packed.json",
    output:
        PATHS.interim("{generator}") / "psnr.json",
    priority: 15
    resources:
        gpu=lambda wildcards: (cards(wildcards) if wildcards.generator == "vfit" else 0),
    params:
        code=interim_code,
    shell:
        "study interpolate --generator {wildcards.generator} "
        "--device $DEVICE --threads {threads} 2> >(tee {log:q} >&2)"


rule group:
    input:
        annotations=PATHS.annotations("train"),
    output:
        groups=PATHS.groups("{n}"),
        picture=PATHS.groups("{n}").with_suffix(".png"),
    params:
        code=heavy_code("group"),
    shell:
        "study group --count {wildcards.n} 2> >(tee {log:q} >&2)"
