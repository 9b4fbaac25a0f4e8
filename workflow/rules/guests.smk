# These rules measure guests: predictions that something else made, each with a file of
# experiments/guests. The peers among them, public networks that a rule runs here, come only if they
# are asked for: `make peers`, or --config peers=all. Once measured, they are kept up to date.
rule fetch_peers:
    output:
        PATHS.peers,
    retries: 1
    localrule: True
    params:
        folder=PATHS.peers.parent,
        code=light_code("fetch_peers"),
    shell:
        "stage fetch-peers --out {params.folder:q} 2> >(tee {log:q} >&2)"


rule peer:
    input:
        PATHS.peers,
        annotations=PATHS.annotations("val"),
        boxes=PATHS.boxes(BOXES),
        packed=PATHS.packed / "packed.json",
    output:
        PATHS.guest("{guest}", "posetrack.json"),
    wildcard_constraints:
        guest=any_of(PEERS),
    params:
        peer=lambda wildcards: GUESTS[wildcards.guest].peer,
        settings=settings("peer"),
        code=light_code("peer"),
    shell:
        "study peer --guest {wildcards.guest} --threads {threads} 2> >(tee {log:q} >&2)"


rule guest:
    input:
        lambda wildcards: (
            PATHS.guest(wildcards.guest, "posetrack.json")
            if wildcards.guest in PEERS
            else []
        ),
        annotations=PATHS.annotations("val"),
    output:
        predictions=PATHS.guest("{guest}", "predictions.json"),
        metrics=PATHS.guest("{guest}", "metrics.json"),
        evidence=PATHS.guest("{guest}", "evidence.npz"),
    wildcard_constraints:
        guest=any_of(GUESTS),
    priority: 100
    localrule: True
    params:
        content=lambda wildcards: CONTENTS.get(wildcards.guest, ""),
        settings=settings("guest"),
        code=heavy_code("guest"),
    shell:
        "study guest --guest {wildcards.guest} 2> >(tee {log:q} >&2)"
