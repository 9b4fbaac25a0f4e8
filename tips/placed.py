"""A study wherever it lies: in the working folder, in another project, or in an archive."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from tips.archive.form import STUDY, StudyFile
from tips.archive.opening import unpacked
from tips.config import ConfigError, Study, load_scale, load_study, needs_root
from tips.config.guests import Guest, load_guests
from tips.paths import Paths, dataset_name, study_paths
from tips.records import RecordError, read, read_object
from tips.safe_text import one_line
from tips.tables.guest_rows import shown
from tips.tables.published import Tables, load_tables
from tips.tables.yours import Beside, comparisons

EXPERIMENTS: Final = "experiments"
RESULTS: Final = "results"
RECORDS: Final = "runs/*/*/seed-*/provenance.json"
KINDS: Final = (
    "a project's folder (with experiments/ and results/), a study's folder of results (such as "
    "results/night-embedded), or an archive that `tips archive` wrote"
)


class Placed(NamedTuple):
    """A study, the paths of its files and its published tables; what is read there is data."""

    study: Study
    paths: Paths
    tables: Tables
    place: Path  # as it was named; the working folder is `.`
    beside: tuple[Beside, ...] = ()  # what the user's own variants are compared with
    guests: Mapping[str, Guest] = MappingProxyType({})  # those that the tables show, by name


class Elsewhere(Paths):
    """The paths of a study that lies in another folder, with that folder's own shared results."""

    __slots__ = ()

    @property
    def shared(self) -> Path:
        """Folder of the results that all scales of that project share."""
        return self.results if self.results.name == RESULTS else self.results.parent

    @property
    def assets(self) -> Path:
        """Folder of downloads."""
        return self.shared / "assets"

    @property
    def cost(self) -> Path:
        """Record of what the networks cost at the paper's size."""
        return self.shared / "cost" / "cost.json"

    @property
    def bench(self) -> Path:
        """Folder of the measurements of `make bench`."""
        return self.shared / "bench"


@contextmanager
def placed(place: Path | None, scale: str, root: str = "") -> Iterator[Placed]:
    """Opens a study wherever it lies.

    Args:
        place: the place; None is the working folder.
        scale: the scale of the study in a project's folder. A folder of results and an archive
            say their own; only if results fit several scales, this one of them is taken.
        root: the dataset's folder, for a scale that names none, in a project's folder.

    Raises:
        ConfigError: the place is none of these, or holds no such study.
        RecordError: an archive is truncated, altered or unsafe.
    """
    if place is None:
        study = load_study(scale, Path(EXPERIMENTS), root or None)
        yield _with_tables(scale, study, study_paths(study.scale), Path())
        return
    if place.is_file():
        with unpacked(place) as (folder, said):
            yield _of_archive(folder, said, place)
        return
    folder = Path(os.path.abspath(place))
    if all((folder / name).is_dir() for name in (EXPERIMENTS, RESULTS)):
        if (folder / STUDY).is_file():  # an archive that was unpacked by hand
            said = read(StudyFile, folder / STUDY)
            yield _of_archive(folder, said, place)
        else:
            yield _of_project(folder, scale, root)._replace(place=place)
    elif (folder / "runs").is_dir():
        yield _self_contained(_of_results(folder, scale), place)
    else:
        odd = "is neither a file nor a folder" if folder.exists() else "no such file or folder"
        what = "holds no study" if folder.is_dir() else odd
        raise ConfigError(f"{place}: {what}; give {KINDS}")


def _of_project(folder: Path, scale: str, root: str) -> Placed:
    """Opens the study of a scale in a project's folder.

    Args:
        folder: the project's folder.
        scale: name of the scale.
        root: the dataset's folder, or its name, for a scale that names none.
    """
    experiments = folder / EXPERIMENTS
    _refuse_links(experiments)
    given = root if needs_root(scale, experiments) else ""
    study = load_study(scale, experiments, given or None)
    here = study_paths(study.scale)
    results = folder / here.results
    _refuse_links(results)
    dataset = Path(given) if given else folder / here.root
    paths = Elsewhere(results, folder / here.reports, here.dataset, dataset)
    return _with_tables(scale, study, paths, folder)


def _with_tables(scale: str, study: Study, paths: Paths, folder: Path) -> Placed:
    """Adds what the files in a project's folder say of tables, comparisons and guests."""
    experiments = folder / EXPERIMENTS
    tables = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    beside = comparisons(tables, study, experiments)
    guests = shown(load_guests(scale, study.scale, experiments), paths)
    if folder != Path():  # a folder that somebody else names is not looked into
        guests = {name: one.model_copy(update={"folder": None}) for name, one in guests.items()}
    return Placed(study, paths, tables, folder, beside, guests)


def _of_archive(folder: Path, said: StudyFile, place: Path) -> Placed:
    """Opens the study of an unpacked archive, which says its own scale and dataset."""
    found = _of_project(folder, said.scale, said.dataset)
    if found.paths.dataset != said.dataset:
        raise ConfigError(
            f"{place}: {STUDY} says dataset '{one_line(said.dataset, 100)}', and scale "
            f"{said.scale} in it is on '{found.paths.dataset}'; take the archive as it was written"
        )
    return _self_contained(found, place)


def _self_contained(found: Placed, place: Path) -> Placed:
    """Says that what there is of the dataset lies among the results."""
    return found._replace(paths=found.paths._replace(root=found.paths.data), place=place)


def _of_results(folder: Path, scale: str) -> Placed:
    """Opens the study that a folder of results is of, with the configuration of its project."""
    project = next(
        (above for above in list(folder.parents)[:2] if (above / EXPERIMENTS).is_dir()), None
    )
    if project is None:
        raise ConfigError(
            f"{folder}: lies in no project, whose experiments/ say what was trained; give {KINDS}"
        )
    _refuse_links(folder)
    name, dataset = _recorded(folder)
    fitting = _scales(project / EXPERIMENTS, name, dataset)
    chosen = [one for one in fitting if one == scale] or fitting
    if len(chosen) != 1:
        which = f"fit the scales {', '.join(fitting)}; choose by --scale" if fitting else "fit none"
        raise ConfigError(
            f"{folder}: its runs are of scale '{name}' on dataset '{dataset}', and of "
            f"{project / EXPERIMENTS}/scales they {which}"
        )
    found = _of_project(project, chosen[0], dataset)
    return found._replace(paths=found.paths._replace(results=folder))


def _recorded(folder: Path) -> tuple[str, str]:
    """Reads the names of scale and dataset in the records of all runs."""
    found = {}
    for file in sorted(folder.glob(RECORDS)):
        record = read_object(file)
        names = tuple(one_line(str(record.get(key, "")), 100) for key in ("scale", "dataset"))
        if all(names):
            found[names] = file
    if not found:
        raise ConfigError(f"{folder}: no run here says of what scale it is; give {KINDS}")
    (first, *others), (file, *_) = found, found.values()
    if others:
        raise ConfigError(
            f"{folder}: holds runs of several studies: {' on '.join(first)} ({file}) and "
            f"{' on '.join(others[0])} ({found[others[0]]})"
        )
    return first[0], first[1]


def _scales(experiments: Path, name: str, dataset: str) -> list[str]:
    """Lists the scales whose results are named by this scale and dataset."""
    found = []
    for file in sorted((experiments / "scales").glob("[!.]*.yaml")):
        root = dataset if needs_root(file.stem, experiments) else None
        scale = load_scale(file.stem, experiments, root)
        if (scale.name, dataset_name(scale)) == (name, dataset):
            found.append(file.stem)
    return found


def _refuse_links(folder: Path) -> None:
    """Refuses links below a folder of somebody else: they lead where that one wants."""
    for at, names, files in os.walk(folder):
        for path in (Path(at, name) for name in (*names, *files)):
            if path.is_symlink():
                raise RecordError(f"{path}: is a link, and none is followed in another's folder")
