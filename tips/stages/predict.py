"""Predicts the validation split with one trained model."""

from tips import provenance, records
from tips.device import card_of, choose_device, keep_freed_memory, use_threads
from tips.freshness import digests, prediction_code, prediction_files, settings_of
from tips.inference.loading import trained_model
from tips.inference.validation import predict
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import backend, kernels_of
from tips.paths import judge_boxes


def run(
    variant: str,
    seed: int = 0,
    boxes: str = "gt",
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Writes predictions.json: poses of every labelled frame, and the synthesized poses.

    Beside it, predicted.json records what they were made from and by: the digest of every code
    file, the inputs, the settings and the machine.

    Args:
        variant: Names the variant, a file of experiments/.
        seed: Names the run of the variant by its seed.
        boxes: Takes people's boxes from the annotations (gt) or from a detector (detected).
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.
    """
    judge_boxes(boxes)
    use_threads(threads)
    checkout = provenance.checkout()  # as it is when the work starts
    keep_freed_memory()
    opened = open_study(scale, root)
    target = choose_device(device, opened.study.scale)
    chosen = opened.study.variant(variant)
    prepare_kernels(target)
    made_by = prediction_code(chosen.experiment, kernels_of(target))
    model = trained_model(opened, chosen, seed, target)
    found = predict(opened, chosen, seed, boxes, model, target)
    records.write(found, opened.paths.predictions(variant, str(seed), boxes))
    records.write_json(
        {
            "code": made_by,
            "inputs": digests(prediction_files(*opened, variant, seed, boxes)),
            "settings": settings_of(opened.study.scale.evaluation, "predict"),
            "device": target.type,
            "kernels": backend(target.type),
            **provenance.surroundings(card_of(target)),
            **checkout.record,
        },
        opened.paths.predicted(variant, str(seed), boxes),
    )
