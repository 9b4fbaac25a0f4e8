# These rules compare public networks with our rows: `make peers`, or --config peers=all. Nothing
# else needs them, so they run only if they are asked for. Once their table exists, it is kept up to
# date.
PEER_TABLE = PEER_ROWS.file(PATHS)
PEER_TABLES = [PEER_TABLE] if config["peers"] == "all" or PEER_TABLE.is_file() else []


rule fetch_peers:
    output:
        PATHS.peers,
    log:
        log_file("fetch_peers"),
    benchmark:
        time_file("fetch_peers")
    retries: 1
    conda:
        "../../environment.yml"
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
        PATHS.predictions("{peer}", "0", BOXES),
    log:
        log_file("peer", "{peer}"),
    benchmark:
        time_file("peer", "{peer}")
    wildcard_constraints:
        peer="|".join(PEERS),
    conda:
        "../../environment.yml"
    params:
        settings=settings("peer"),
        code=light_code("peer"),
    shell:
        "study peer --peer {wildcards.peer} --threads {threads} 2> >(tee {log:q} >&2)"


rule tabulate_peers:
    input:
        [PATHS.predictions(peer, "0", BOXES) for peer in PEERS],
        [PATHS.predictions(*row) for row in SCORED],
        annotations=PATHS.annotations("val"),
        published="experiments/tables.yaml",
    output:
        PEER_TABLE,
    log:
        log_file("tabulate_peers"),
    benchmark:
        time_file("tabulate_peers")
    conda:
        "../../environment.yml"
    params:
        settings=settings("tabulate_peers"),
        marks=marks(),
        published=contents("experiments/tables.yaml"),
        seeds=config["seeds"],
        code=study_code("tabulate_peers"),
    shell:
        "study tabulate-peers --seeds {params.seeds} 2> >(tee {log:q} >&2)"
