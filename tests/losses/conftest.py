"""Made-up passes for the losses that any model may weigh."""

import pytest
from made_up import Case, make_case, without_labels


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def unlabelled(case: Case) -> Case:
    return without_labels(case)
