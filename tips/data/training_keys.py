"""The samples of a training: labelled people, and how many of them an epoch draws."""

from tips.config import Variant
from tips.data.order import Draws
from tips.instances import Key, labelled_keys
from tips.opened import Opened, read_annotations
from tips.records import Annotations, RecordError


def training_keys(
    opened: Opened, variant: Variant
) -> tuple[list[Key], list[Draws], list[Annotations]]:
    """Lists the samples: people of the train split, then stills if the variant uses them.

    Returns:
        The people, how many of each split an epoch draws, and the annotations of the splits.
    """
    settings = variant.experiment.training
    splits = [read_annotations(opened.paths, "train")]
    takes = [settings.windows_per_epoch]
    if settings.stills_per_epoch and "stills" in opened.study.scale.splits:
        splits.append(read_annotations(opened.paths, "stills"))
        takes.append(settings.stills_per_epoch)
    lists = [labelled_keys(annotations) for annotations in splits]
    if not lists[0]:
        raise RecordError(f"{opened.paths.annotations('train')}: no labelled person to train on")
    pools = [Draws(len(found), take) for found, take in zip(lists, takes, strict=True)]
    return [key for found in lists for key in found], pools, splits
