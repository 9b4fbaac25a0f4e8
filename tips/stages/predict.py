"""Predicts the validation split with one trained model."""

from tips import provenance, records
from tips.device import choose_device, keep_freed_memory, use_threads
from tips.freshness import digests, prediction_code, prediction_files, settings_of
from tips.inference.loading import trained_model
from tips.inference.validation import predict
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import backend, kernels_of


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

    Beside it, predicted.json records what made them: code file by file, inputs, settings, machine.

    Args:
        variant: name of a file of experiments/.
        seed: of the run.
        boxes: `gt` or `detected`.
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        device: auto, cpu or cuda.
        threads: of torch on the CPU; 0: one per core.
    """
    use_threads(threads)
    keep_freed_memory()
    opened = open_study(scale, root)
    chosen = opened.study.variant(variant)
    target = choose_device(device)
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
            **provenance.surroundings(),
            **provenance.commit_record(),
        },
        opened.paths.predicted(variant, str(seed), boxes),
    )
