# Names that every rule uses. Paths and settings come from the package, so that the workflow and the
# stages cannot disagree on them.
import functools
import re
import shlex
import signal
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import validate

# Snakemake's console script does not add the repository to the path, from which `tips` is imported.
sys.path.insert(0, str(Path(workflow.basedir).parent))

from tips import code, freshness, kept, locks
from tips.afterwards import complaints, end_jobs_at_sigterm, stop_timers
from tips.chain import Judge
from tips.config import (
    BACKBONE,
    COPY,
    FULL,
    MEAN_POSE,
    NOWHERE,
    ConfigError,
    digest,
    load_study,
    needs_root,
    rivals,
)
from tips.config.guests import load_guests
from tips.data.kinds import module as reader_module
from tips.data.origin import check_origin
from tips.evaluation.guest_files import checked
from tips.for_snakemake import SCORING, SEEING
from tips.made import Keeper
from tips.messages import complaint
from tips.paths import scored, study_paths
from tips.planning.resources import load_resources, training_minutes
from tips.proofs import read_proofs, undone
from tips.provenance import file_digest, has_nvidia_driver
from tips.queued import note_use
from tips.records import RecordError, read_object
from tips.safe_text import one_line
from tips.tables.contents import SHEETS
from tips.tables.guest_rows import shown
from tips.tables.paper_size import open_networks
from tips.tables.published import load_tables
from tips.tables.yours import comparisons, project_variants, your_variants
from tips.temporaries import drop_links, visible


def refuse(message):
    """Ends on a user's mistake with one line and exit code 2, as `tips` itself does."""
    told = complaint(message) if isinstance(message, OSError) else str(message)
    print(f"error: {one_line(told, 2000)}", file=sys.stderr)
    sys.exit(2)


if set("{}") & set(str(workflow.basedir)):
    refuse(
        f"{Path(workflow.basedir).parent}: Snakemake takes braces in the name of a folder for "
        "wildcards; rename it"
    )
try:
    validate(config, "../schemas/config.schema.yaml")
except WorkflowError as error:
    # The error's own text goes over several lines and names the key in the last ones.
    cause = error.__context__
    key = "".join(f"{key}: " for key in getattr(cause, "path", ()))
    refuse(f"--config: {key}{getattr(cause, 'message', error)}")


# A scheduler may send SIGUSR1 to all processes of a job some time before it ends that. A training
# saves then; Snakemake must not end before it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
STARTED = time.time()
ROOT, EXPERIMENTS = config["root"], Path("experiments")
try:
    # A scale that needs a dataset folder, but got none, can only be planned: a dry run lists the
    # jobs as on a machine with the dataset and a card, and `onstart` lets none of them run.
    PLAN = not ROOT and needs_root(config["scale"], EXPERIMENTS)
    root = NOWHERE if PLAN else ROOT or None
    STUDY = load_study(config["scale"], EXPERIMENTS, root, config["seeds"] or None)
    STAGE_ONE = {
        name: STUDY.stage_one(name)
        for name, variant in STUDY.variants.items()
        if not variant.experiment.first_stage
    }
    PATHS = study_paths(STUDY.scale)
    PRINTED = load_tables(EXPERIMENTS / "tables.yaml", STUDY.scale.dataset.release)
    BESIDE = comparisons(PRINTED, STUDY, EXPERIMENTS)
    GUESTS = load_guests(config["scale"], STUDY.scale, EXPERIMENTS)
except ConfigError as error:
    refuse(error)
if FULL not in STUDY.variants:
    refuse(
        f"scale {config['scale']}: rows: '{FULL}' is missing, which the report compares; add it"
    )
SCALE = STUDY.scale
# The variants that the project's tables need. The rows of other variants are made beside these, and
# none of their files depends on it.
PROJECT = project_variants(PRINTED, STUDY)
RECORDS = Keeper(workflow, PATHS.made, PATHS.root)
EMBEDDED = SCALE.dataset.embedded
if SCALE.card and config["device"] == "cpu":
    refuse(f"scale {config['scale']} computes on a card only; leave out device=cpu")
try:
    RESOURCES = load_resources(Path(workflow.basedir) / "resources.yaml")
except ConfigError as error:
    refuse(error)
MINUTES = training_minutes(STUDY, PATHS, RESOURCES.longest)
if PLAN:
    print("no root is given: jobs as with a dataset", file=sys.stderr)


def cards(wildcards):
    """Counts the cards of a job that computes with networks.

    The scale says whether it needs one, not the machine that plans the jobs, which may be a login
    node. Only where jobs run on this very machine, a card that is there is used at any scale.
    """
    own = workflow.local_exec and not workflow.remote_exec
    found = config["device"] == "auto" and own and has_nvidia_driver()
    return int(SCALE.card or config["device"] == "cuda" or found)


def training_cards(wildcards):
    """Counts the cards of a training: one for each of its ranks."""
    return cards(wildcards) * SCALE.ranks


def training_cores(wildcards):
    """Counts the cores of a training: each rank has loaders and one core more."""
    training = STUDY.variant(wildcards.variant).experiment.training
    return SCALE.ranks * (training.workers + 1)


@functools.cache
def minutes(variant):
    return MINUTES(variant)


def training_time(wildcards):
    """Gives the minutes that a training asks for; only the planning process looks that up."""
    return minutes(wildcards.variant) if workflow.is_main_process else RESOURCES.longest


def with_needs(job):
    """Adds to a rule what a scheduler must know of its jobs, unless the rule says it by itself."""
    need = RESOURCES.of(job.name, card=SCALE.card)
    processes = SCALE.ranks if job.name == "train" else 1
    job.resources["mem_mb"] = processes * need.mem_mb
    if "runtime" not in job.resources:
        job.resources["runtime"] = need.runtime
    if job._group:  # `group` is empty as long as it is not known where jobs run
        job.resources["turn"] = 1
    if job.resources["_cores"] == 1:
        job.resources["_cores"] = need.cores


def refuse_plan():
    """Ends a run if the scale can only be planned, and says what it needs."""
    try:
        load_study(config["scale"], EXPERIMENTS, ROOT or None)
    except ConfigError as error:
        refuse(error)


def hold_workflow():
    """Refuses to run jobs beside another snakemake, from whatever container or host that is.

    Snakemake's own lock stays after a kill, and cannot tell whether its holder lives.
    """
    try:
        locks.alone_until_the_end(locks.WORKFLOW, "works in this folder")
    except locks.LockError as error:
        refuse(error)
    for part in ("logs", "benchmarks"):  # Snakemake writes there, and follows links
        drop_links(PATHS.results / part)


SPLITS = SCALE.splits
try:
    JUDGE = Judge(STUDY, PATHS, read_proofs(PATHS.proofs), contents=False)
except RecordError as error:
    refuse(error)
SCORED = scored(STUDY)
CACHES = kept.caches(STUDY)
RUNS = [
    (name, str(seed)) for name, v in STUDY.variants.items() for seed in range(v.seeds)
]
BOXES = SCALE.evaluation.boxes
OTHER_BOXES = SCALE.evaluation.other_boxes


wildcard_constraints:
    variant="|".join(map(re.escape, STUDY.variants)),
    seed=r"\d+",
    generator="|".join(map(re.escape, SCALE.interim)),
    n=r"\d+",
    split="train|val|stills",
    shard=r"\d+",
    part=r"[a-z]+-\d+",
    key="[0-9a-f]+",
    source="|".join(map(re.escape, [kept.FRAMES, *SCALE.interim])),


# Every job runs one stage of the package with the Python that runs Snakemake, or with that of a
# container. `stage NAME ...` runs it as it is; `study NAME ...` also tells it the scale and the
# dataset folder of this study.
INSIDE = (
    DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
    and config["container"]
)
PYTHON = "python" if INSIDE else shlex.quote(sys.executable)
STAGE = f'stage() {{ {PYTHON} -m tips stage "$@"; }}; '
OF_STUDY = f"--scale {shlex.quote(config['scale'])} --root {shlex.quote(ROOT)}"
STUDY_STAGE = f'study() {{ stage "$@" {OF_STUDY}; }}; '
DEVICE = f"DEVICE={config['device']}; "
# A stage that is told to end may have to save something. So its shell, whose end Snakemake takes for
# the job's, waits for it; and the log is written until the stage has said its last word.
OUTLIVE = "trap : TERM USR1; " """tee() { trap '' TERM USR1; command tee "$@"; }; """
shell.prefix(
    (OUTLIVE + DEVICE + STAGE + STUDY_STAGE).replace("{", "{{").replace("}", "}}")
)


def shards():
    """Lists the records of all rendered shards; a user's own dataset has none."""
    if EMBEDDED is None:
        return []
    return [
        PATHS.shard(split, str(k))
        for split in SPLITS
        for k in range(EMBEDDED.shards[split])
    ]


@functools.cache
def contents(*files):
    """Gives a digest of files that no rule makes, as a parameter that changes with their content.

    Snakemake compares the content of an input only if it is newer than the outputs. A file that was
    restored from a copy may be older, although its content is another one.
    """
    present = [Path(file) for file in files if Path(file).is_file()]
    return digest({str(file): file_digest(file) for file in present})


@functools.cache
def given_annotations():
    """Lists the user's own annotation files, or the record of unpacking a published dataset."""
    if EMBEDDED is not None or (PLAN and SCALE.dataset.release is None):
        return []
    if SCALE.dataset.release is not None:
        return [PATHS.unpacked]
    folder = PATHS.root / SCALE.dataset.annotations
    try:
        if not folder.is_dir():
            refuse(
                f"{folder}: no such folder; --config root=FOLDER names a dataset in PoseTrack18's "
                "layout"
            )
        found = sorted([*visible(folder, "*/*.json"), *visible(folder, "*/*.mat")])
        check_origin(PATHS.manifest, PATHS.root, found)
    except (RecordError, OSError) as error:
        refuse(error)
    return found


def given_dataset(wildcards):
    """Digests what `prepare` reads, wherever it is: settings and content of the user's files."""
    settings = digest(SCALE.dataset.model_copy(update={"root": None}))
    own = EMBEDDED is None and SCALE.dataset.release is None
    return f"{settings} {contents(*given_annotations())}" if own else settings


def given_boxes():
    """Gives the file that detected boxes come from, if the scale names one."""
    evaluation = SCALE.evaluation
    names = (evaluation.detections, evaluation.checkpoint)
    return [
        PATHS.root / name for name in names if name and (PATHS.root / name).exists()
    ]


def weights(file, key):
    """Checks that a checkpoint which a YAML names exists, or is one that a rule makes."""
    if not (Path(file).exists() or Path(file).is_relative_to(PATHS.results)):
        refuse(f"{file}: no such file; {key} names it, relative to this folder")
    return file


def training_inputs(wildcards):
    """Lists what a variant's training reads besides the dataset."""
    files = freshness.training_files(
        STUDY, PATHS, wildcards.variant, int(wildcards.seed)
    )
    if "weights" in files:
        weights(files["weights"], "backbone.weights")
    return [file for name, file in files.items() if name != "data"]


def needed_features():
    """Lists the kept features that runs read which are not finished yet."""
    needed = {}
    for name, seed, boxes in SCORED:
        run = name, int(seed)
        if name in STUDY.variants and not PATHS.checkpoint(name, seed).is_file():
            needed |= dict.fromkeys(kept.names(STUDY, *run))
        if (
            name in STUDY.variants
            and not PATHS.predictions(name, seed, boxes).is_file()
        ):
            needed |= dict.fromkeys(kept.names(STUDY, *run, boxes))
    return [PATHS.features(*name) for name in needed]


def interrupted(wildcards):
    """Lists the files that an earlier call was to make, for this study, and did not finish."""
    return [
        one.file
        for one in RECORDS.missing()
        if "seed" not in one.wildcards or run_of(one.wildcards) in RUNS
        if one.rule != "features"  # `needed_features` lists them
        if one.wildcards.get("guest", "")
        in {"", *SHOWN}  # others are not asked for any more
        if one.rule != "fetch_peers" or PEERS & SHOWN.keys()
    ]


def run_of(wildcards):
    return wildcards["variant"], wildcards["seed"]


def cache(wildcards):
    """Looks up which features a job of the rule `features` makes."""
    return CACHES[wildcards.part, wildcards.key, wildcards.source]


def feature_inputs(wildcards):
    files = freshness.feature_files(STUDY, PATHS, cache(wildcards))
    return [file for name, file in files.items() if name != "data"]


def feature_code(wildcards):
    """Digests the code that kept features depend on."""
    single = STUDY.stage_one(cache(wildcards).variant)
    return code.summary(freshness.feature_code(STUDY.variant(single).experiment))


def prediction_inputs(wildcards):
    interim = STUDY.variant(wildcards.variant).experiment.interim_frames
    return [] if interim is None else [PATHS.interim(interim) / "psnr.json"]


def interpolator(wildcards):
    """Gives the checkpoint of an interim generator, if it has one."""
    return vfit_weights() if wildcards.generator == "vfit" else []


def interim_shards(wildcards):
    """Lists the shares of a generator's frames, which jobs of their own make."""
    count = SCALE.interim_shards
    return [
        PATHS.interim_shard(wildcards.generator, str(k))
        for k in range(count)
        if count > 1
    ]


def vfit_weights():
    """Gives the checkpoint of VFIT, which a rule trains or the user has."""
    vfit = SCALE.vfit
    if vfit is None:
        return []
    if vfit.training is not None:
        return [PATHS.vfit]
    return [weights(vfit.weights, "vfit.weights")] if vfit.weights else []


@functools.cache
def digest_of(used, stage, *modules):
    """Computes one digest of the code that a stage uses."""
    return code.summary(used(stage, *modules))


@functools.cache
def digest_of_settings(stage):
    """Computes one digest of the settings of the evaluation that a stage reads."""
    return digest(freshness.settings_of(SCALE.evaluation, stage))


# Such digests take a moment. So these give functions, which Snakemake calls for the jobs that it
# plans: a job of a cluster reads this file, too, and needs only its own.
def light_code(stage, *modules):
    """Gives the code that a stage uses, as a parameter of its rule."""
    return lambda wildcards: digest_of(freshness.code_of, stage, *modules)


def study_code(stage, *modules):
    """Does the same for a stage that reads the whole study, with the settings of all kinds."""
    return light_code(stage, *modules, *freshness.settings_modules(STUDY))


def heavy_code(stage, *modules):
    """Does the same if the configuration that the stage reads is a parameter of its rule."""
    return lambda wildcards: digest_of(freshness.computing_code, stage, *modules)


def settings(stage):
    """Gives the settings of the evaluation that a stage reads, as a parameter of its rule."""
    return lambda wildcards: digest_of_settings(stage)


def interim_code(wildcards):
    """Digests the code of an interim generator, and its weights if no rule makes them."""
    made_by = code.summary(freshness.interim_code(wildcards.generator))
    return f"{made_by} {own_vfit()}" if wildcards.generator == "vfit" else made_by


def prediction_code(wildcards):
    """Digests the code of a run's predictions, without edits that are proved harmless for them."""
    run = wildcards.variant, int(wildcards.seed)
    now = freshness.prediction_code(STUDY.variant(run[0]).experiment)
    return code.summary(undone(JUDGE.proofs, "predictions", run, now))


def parts_of(*names):
    """Lists the modules that the networks of some variants use."""
    variants = [STUDY.variants[name] for name in names]
    return sorted({part for one in variants for part in one.experiment.modules()})


def own_vfit():
    """Digests the user's own checkpoint of VFIT; empty if there is none."""
    vfit = SCALE.vfit
    given = vfit is not None and vfit.training is None and vfit.weights
    return contents(vfit.weights) if given else ""


def own_variants(wildcards):
    """Lists what the tables say of variants that no table of the project names: titles and rows."""
    titles = [row.label for row in your_variants(PRINTED, STUDY).rows]
    return [*titles, *map(str, BESIDE)]


def benched():
    """Lists the files that `make bench` and `tips cost --measure` write and the report shows."""
    return [PATHS.bench / name for name in ("inference.json", "cost.json")]


def meaning(wildcards):
    """Digests a variant's configuration, and a checkpoint of the user's that it starts from."""
    experiment = STUDY.variant(wildcards.variant).experiment
    told = freshness.training_digest(experiment, SCALE)
    file = experiment.backbone.weights
    own = file is not None and not Path(file).is_relative_to(PATHS.results)
    return f"{told} {contents(file)}" if own and experiment.first_stage else told


def trigger(wildcards):
    """Gives the digest of the code that a finished run was started with.

    Snakemake trains again if this parameter changes. So a finished run keeps the digest that its
    own record notes: newer code then marks the run stale in the tables, and does not delete and
    repeat its training. The digest is noted as the trigger, apart from the record's digest of the
    code. If the run is made again for another reason, that one becomes newer, but not the trigger.
    """
    experiment = STUDY.variant(wildcards.variant).experiment
    record = PATHS.run(wildcards.variant, wildcards.seed) / "provenance.json"
    now = freshness.training_code(experiment, SCALE)
    return noted(
        record, now, lambda: JUDGE.training(wildcards.variant, int(wildcards.seed))
    )


def vfit_trigger(wildcards):
    """Does the same for VFIT's training."""
    record = PATHS.vfit.with_name("provenance.json")
    return noted(record, freshness.computing_code("vfit"), JUDGE.interpolator)


def noted(record, now, judged):
    """Gives the digest that a record notes.

    Without a record it is that of the present code. If stale runs shall be trained again, it is a
    new text, by which Snakemake sees a change.
    """
    if not record.is_file():
        return code.summary(now)
    try:
        before = str(read_object(record).get("trigger", ""))
    except RecordError as error:
        refuse(error)
    # It becomes part of a command.
    if not re.fullmatch(r"[0-9a-f]*( after [0-9a-f]*)*", before):
        refuse(
            f"{record}: trigger: must be digests, in hexadecimal; remove the run's folder"
        )
    if config["stale"] != "retrain":
        return before
    try:
        stale = judged().state == "stale"
    except RecordError as error:
        refuse(error)
    return f"{code.summary(now)} after {before}" if stale else before


def marks(wildcards):
    """Gives parameters that change with all that may mark a run stale or current again."""
    proofs = [str(proof) for proof in JUDGE.proofs]
    return [freshness.trainings_code(STUDY), heavy_code("vfit")(wildcards), proofs]


PEERS = {name for name, guest in GUESTS.items() if guest.peer is not None}
SHOWN = GUESTS if config["peers"] == "all" else shown(GUESTS, PATHS)
try:
    # Bad files of a guest end everything here, before anything is trained.
    CONTENTS = {
        name: checked(name, guest, PATHS, EXPERIMENTS)
        for name, guest in GUESTS.items()
        if name not in PEERS
    }
except (RecordError, OSError) as error:
    refuse(error)


def any_of(names):
    """Makes a wildcard's pattern of some names; without names it matches nothing."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"
