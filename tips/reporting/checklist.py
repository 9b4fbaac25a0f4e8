"""Fills the reproducibility checklists of NeurIPS and of Pineau et al. from a study's own files."""

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from tips.reporting import answers, data_answers
from tips.reporting.facts import Answer, Facts, facts
from tips.tables import markdown
from tips.tables.sheet import Page, Section

WORDS: Final = ("yes", "no", "not applicable", "unknown")


class Item(NamedTuple):
    """One item: its question in few words, and what answers it."""

    question: str
    answer: Callable[[Facts], Answer]


# The questions in our own, shorter words, in the order of the lists.
NEURIPS: Final = (
    Item("Claims: do they say what the results show?", answers.claims),
    Item("Limitations: are they discussed?", answers.limitations),
    Item("Theory: are assumptions and proofs complete?", answers.nothing_proved),
    Item("Reproducibility: is all disclosed that is needed?", answers.records),
    Item("Open access to data and code, with instructions?", data_answers.access),
    Item("Settings: are all details of training and test given?", answers.details),
    Item("Statistical significance: are there error bars, and defined?", answers.significance),
    Item("Compute: machine, memory and time of every experiment?", answers.compute),
    Item("Code of ethics: is it kept?", answers.untold),
    Item("Broader impacts: are good and bad ones discussed?", answers.untold),
    Item("Safeguards against misuse of data and models?", answers.untold),
    Item("Licences and owners of the data that are used: named?", data_answers.licences),
    Item("New assets: are they documented?", data_answers.new_assets),
    Item("Crowdsourcing and human subjects: instructions and pay?", data_answers.human_subjects),
    Item("Review board: risks to participants, approval?", data_answers.human_subjects),
    Item("Language models: is their use in the method declared?", answers.untold),
)
PINEAU: Final = (
    Item("Models: a clear description", answers.model),
    Item("Models: the assumptions", answers.limitations),
    Item("Models: complexity in time, space, samples", answers.complexity),
    Item("Theory: a clear statement", answers.nothing_proved),
    Item("Theory: a complete proof", answers.nothing_proved),
    Item("Data: statistics, such as the number of examples", data_answers.statistics),
    Item("Data: the splits", data_answers.splits),
    Item("Data: what was excluded, and pre-processing", data_answers.preprocessing),
    Item("Data: a link to download them or their simulator", data_answers.download),
    Item("Data: how new data were collected", data_answers.new_assets),
    Item("Code: dependencies", answers.dependencies),
    Item("Code: training", answers.training_code),
    Item("Code: evaluation", answers.evaluation_code),
    Item("Code: trained models", answers.trained_models),
    Item("Code: a README with results and their command", answers.readme),
    Item("Results: hyper-parameters, their range and choice", answers.hyper_parameters),
    Item("Results: the exact number of runs", answers.number_of_runs),
    Item("Results: a clear definition of the measure", answers.measure),
    Item("Results: central tendency and variation", answers.variation),
    Item("Results: average run time, or energy", answers.runtime),
    Item("Results: computing infrastructure", answers.infrastructure),
)
LISTS: Final = {
    "NeurIPS paper checklist (2025)": NEURIPS,
    "Machine Learning Reproducibility Checklist (Pineau et al., v2.0)": PINEAU,
}


def title(page: Page) -> str:
    """Gives the first line of the page."""
    return f"Reproducibility checklist: scale {page.study.scale.name}, dataset {page.paths.dataset}"


def sections(page: Page) -> list[Section]:
    """Answers every item of both lists.

    Args:
        page: the rows of all tables, and the study.

    Raises:
        RecordError: a record, or a file of metrics, is malformed.
    """
    found = facts(page)
    answered = {
        name: [(item.question, item.answer(found)) for item in items]
        for name, items in LISTS.items()
    }
    words = Counter(answer.word for rows in answered.values() for _, answer in rows)
    counts = ", ".join(f"{words[word]} {word}" for word in WORDS)
    how = (
        f"{words.total()} items: {counts}. The program answers from the study's own files when it "
        "writes the report: *yes* where they show it, *no* where they show the contrary or only a "
        "part, *unknown* where they say nothing. The questions are shortened.\n"
    )
    return [Section("How to read this", how), *(_table(*one) for one in answered.items())]


def _table(name: str, rows: list[tuple[str, Answer]]) -> Section:
    cells = [
        [str(number), question, answer.word, markdown.Markdown(answer.shown_by)]
        for number, (question, answer) in enumerate(rows, start=1)
    ]
    return Section(name, markdown.table(("", "item", "answer", "shown by"), cells, "rlll"))
