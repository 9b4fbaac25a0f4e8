"""Describes an archive as a Workflow Run RO-Crate, which catalogues of research data read.

RO-Crate 1.1 with the profiles Workflow RO-Crate 1.0, Process Run Crate 0.5 and Workflow Run Crate
0.5. The workflow's run is one action with the Snakefile as its instrument; each training with what
was predicted and scored of it is another, with the commit that made it as its instrument. No record
keeps who or what host ran them, or at what time of day, so no action names these.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tips.archive.form import CRATE, STUDY, SUMS, StudyFile
from tips.archive.holdings import Held, Holdings

Entity = dict[str, Any]
Records = Mapping[str, Mapping[str, Any]]  # folder of a run -> its provenance

WORKFLOW: Final = "workflow/Snakefile"
SNAKEMAKE: Final = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
LICENSE: Final = "https://spdx.org/licenses/MIT"
CONTEXT: Final = (
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
)
WORKFLOW_CRATE: Final = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES: Final = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
FORMATS: Final = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "html": "text/html",
    "md": "text/markdown",
    "yaml": "application/yaml",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tex": "application/x-tex",
    "npz": "application/zip",
    "pt": "application/zip",
}
TEXT: Final = "text/plain"  # of all other files


def metadata(said: StudyFile, held: Holdings, records: Records, date: str) -> Entity:
    """Makes the content of ro-crate-metadata.json.

    Args:
        said: what study.json says.
        held: what the archive holds.
        records: the provenance of every run that trained a network, by the run's folder.
        date: the day of the newest result, in ISO 8601.
    """
    runs = [_action(run, records, held) for run in held.runs]
    folders = [_folder(run) for run in held.runs]
    inside = {name for run in held.runs for name in run.files}
    files = [_file(name) for name in (STUDY, SUMS, *held.files) if name not in inside]
    whole = _workflow_run(held)
    title = f"TIPS, reproduced: scale {said.scale}, dataset {said.dataset}"
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"{title}; {len(held.runs)} of {held.wanted} runs with their configuration, "
        "provenance, predictions and scores, tables and report, "
        f"{'with' if said.weights else 'without'} weights. {SUMS} holds the sha256 of every file.",
        "datePublished": date,
        "license": _link(LICENSE),
        "conformsTo": _links(PROFILES),
        "mainEntity": _link(WORKFLOW),
        "hasPart": _links(one["@id"] for one in (*files, *folders)),
        "mentions": _links(one["@id"] for one in (whole, *runs)),
    }
    graph = [_descriptor(), root, *_context(records), *files, *folders]
    graph += [_file(name) for run in held.runs for name in run.files]
    return {"@context": list(CONTEXT), "@graph": [*graph, whole, *runs]}


def _descriptor() -> Entity:
    return {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": _link("./"),
        "conformsTo": _links(("https://w3id.org/ro/crate/1.1", WORKFLOW_CRATE)),
    }


def _context(records: Records) -> list[Entity]:
    """Lists what is no file: the profiles, the licence, Snakemake, and the code by its commits."""
    profiles = [
        {"@id": place, "@type": "CreativeWork", "name": name, "version": version}
        for place, (name, version) in PROFILES.items()
    ]
    language = {
        "@id": SNAKEMAKE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": _link("https://snakemake.readthedocs.io"),
        "url": _link("https://snakemake.readthedocs.io"),
    }
    licence = {
        "@id": LICENSE,
        "@type": "CreativeWork",
        "name": "MIT License",
        "description": "A permissive licence; the file LICENSE holds its text.",
    }
    commits = sorted({_commit(record) for record in records.values()})
    code = [
        {"@id": f"#tips-{one}", "@type": "SoftwareApplication", "name": "tips", "version": one}
        for one in commits
    ]
    return [*profiles, language, licence, *code]


def _commit(record: Mapping[str, Any]) -> str:
    """Names the code of a run: its commit, and whether files differed from it."""
    words = "".join(one if one.isalnum() else "-" for one in str(record.get("commit", "unknown")))
    return f"{words[:64]}-edited" if record.get("dirty") else words[:64]


def _file(name: str) -> Entity:
    found: Entity = {
        "@id": name,
        "@type": "File",
        "name": name.rpartition("/")[2],
        "encodingFormat": FORMATS.get(name.rpartition(".")[2], TEXT),
    }
    if name == WORKFLOW:
        found["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
        found["name"] = "The reproduction, from data to report"
        found["programmingLanguage"] = _link(SNAKEMAKE)
    return found


def _folder(run: Held) -> Entity:
    return {
        "@id": f"{run.folder}/",
        "@type": "Dataset",
        "name": f"{run.variant}, seed {run.seed}",
        "hasPart": _links(run.files),
    }


def _workflow_run(held: Holdings) -> Entity:
    """Describes the run of the workflow: from configuration and data to tables and report."""
    outside = {name: name.split("/")[0] for name in held.files if "/" in name}
    made = [name for name, top in outside.items() if top == "reports"]
    made += [name for name in outside if "/tables/" in name]
    return {
        "@id": "#workflow-run",
        "@type": "CreateAction",
        "name": "Run of the workflow",
        "instrument": _link(WORKFLOW),
        "object": _links(
            name
            for name, top in outside.items()
            if top == "experiments" or name.endswith("/manifest.json")
        ),
        "result": _links([*made, *(f"{run.folder}/" for run in held.runs)]),
    }


def _action(run: Held, records: Records, held: Holdings) -> Entity:
    """Describes how one run came about, as far as its record says."""
    record = records.get(run.folder)
    action: Entity = {
        "@id": f"#run-{run.variant}-{run.seed}",
        "@type": "CreateAction",
        "name": f"{run.variant}, seed {run.seed}",
        "instrument": _link(WORKFLOW),
        "object": _links(name for name in held.files if name.endswith("/manifest.json")),
        "result": _link(f"{run.folder}/"),
    }
    if record is None:
        return action
    told = ("commit", "device", "machine", "steps", "seconds", "config_digest", "data_digest")
    said = [f"{key} {record[key]}" for key in told if key in record]
    action["instrument"] = _link(f"#tips-{_commit(record)}")
    action["description"] = f"Trained, predicted and scored; {', '.join(said)}"
    return action


def _link(name: str) -> Entity:
    return {"@id": name}


def _links(names: Iterable[str]) -> list[Entity] | Entity:
    """Links several entities; a single one stands without a list, as RO-Crate recommends."""
    found = [_link(name) for name in names]
    return found[0] if len(found) == 1 else found
