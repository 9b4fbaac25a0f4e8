# These rules compare public networks with our rows: `make peers`, or --config peers=all. Nothing
# else needs them, so they run only if they are asked for. Once their table exists, it is kept up to
# date.
PEER_TABLE = PEER_ROWS.file(PATHS)
PEER_TABLES = [PEER_TABLE] if config["peers"] == "all" or PEER_TABLE.is_file() else []


rule fetch_peers:
    output:
        PATHS.peers,
    retries: 1
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
    wildcard_constraints:
        peer="|".join(PEERS),
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
    params:
        settings=settings("tabulate_peers"),
        marks=marks(),
        published=contents("experiments/tables.yaml"),
        seeds=config["seeds"],
        code=study_code("tabulate_peers"),
    shell:
        "study tabulate-peers --seeds {params.seeds} 2> >(tee {log:q} >&2)"
