"""Norms of every loss term's gradient on every part of a network, early in its training."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from tips.criterion import Criterion
from tips.tables import markdown
from tips.training.loop import Job, build_optimizer, set_rate, whole_order

TOTAL = "total"


class Norms(NamedTuple):
    """The norms at one step."""

    step: int
    values: dict[str, float]  # of every term, unweighted
    norms: dict[str, dict[str, float]]  # part -> term -> norm of the weighted term's gradient


def measure(job: Job, steps: Sequence[int]) -> Iterator[Norms]:
    """Trains to the last of some steps, and yields the norms at each of them before its update.

    Args:
        job: the training.
        steps: the steps, rising, from 0.
    """
    assert isinstance(job.criterion, Criterion)
    settings, total = job.settings, sum(1 for _ in whole_order(job))
    optimizer = build_optimizer(job.model, job.criterion, settings)
    job.model.train()
    for step, stacked in enumerate(job.load(islice(whole_order(job), steps[-1] + 1))):
        set_rate(optimizer, step, total, settings)
        optimizer.zero_grad(set_to_none=True)
        terms = job.terms(job, stacked)
        if step in steps:
            values = {name: value.item() for name, value in terms.items()}
            yield Norms(step, values, _norms(job, job.criterion.weights, terms))
        terms[TOTAL].backward()
        optimizer.step()


def _norms(
    job: Job, weights: dict[str, float], terms: dict[str, Tensor]
) -> dict[str, dict[str, float]]:
    parts: dict[str, dict[str, float]] = {}
    named = [*job.model.named_parameters(), *job.criterion.named_parameters()]
    learning = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    for term, weight in weights.items():
        found = torch.autograd.grad(
            weight * terms[term], [p for _, p in learning], retain_graph=True, allow_unused=True
        )
        squares: dict[str, float] = {}
        for (name, _), slope in zip(learning, found, strict=True):
            part = ".".join(name.split(".")[:2])
            own = 0.0 if slope is None else float(slope.double().square().sum())
            squares[part] = squares.get(part, 0.0) + own
        for part, square in squares.items():
            parts.setdefault(part, {})[term] = square**0.5
    return parts


def page(variant: str, scale: str, seed: int, found: Sequence[Norms]) -> str:
    """Renders the norms as Markdown.

    Args:
        variant: the row whose training was followed.
        scale: the scale.
        seed: the seed of the training.
        found: the norms at some steps.
    """
    text = (
        f"# What each loss term moves\n\nRow `{variant}`, scale {scale}, seed {seed}: norm of the "
        "gradient of each term, times its weight, on the parameters of each part of the network, "
        "on the batch of one step. A part that a term does not reach has 0. The paper gives the "
        "weights but no units; with these units no term drowns the others.\n"
    )
    for one in found:
        terms = [name for name in one.values if name != TOTAL]
        rows = [
            [
                markdown.Markdown("*value of the term*"),
                *(f"{one.values[term]:.3g}" for term in terms),
            ],
            *(
                [part, *(f"{norms[term]:.3g}" for term in terms)]
                for part, norms in one.norms.items()
            ),
        ]
        table = markdown.table(("part", *terms), rows, "l" + "r" * len(terms))
        text += f"\n## Step {one.step}\n\n{table}"
    return text
