"""Members of classes count one by one where that is safe; fields of settings never do."""

import pytest
from packages import RUN, Files, Make, edited, put

from tips import code

PLACES = """
from typing import NamedTuple
from functools import cached_property

class Places({base}):
    root: str
    {more}

    @property
    def data(self):
        return self.root + {data}

    @cached_property
    def lost(self):
        return self.root + {lost}

    def deeper(self):
        return self.data + {deeper}

    def __len__(self):
        return {length}
"""
PLAIN = {"more": "", "data": "'a'", "lost": "'a'", "deeper": "'a'", "length": "1"}


@pytest.mark.parametrize("base", ["", "NamedTuple"])
@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"lost": "'bb'"}, False),
        ({"more": "\n    def added(self): return 1"}, False),
        ({"data": "'bb'"}, True),
        ({"deeper": "'bb'"}, True),
        ({"length": "22"}, True),
        ({"more": "also: int = 3"}, True),
        ({"more": "also = 3"}, True),
    ],
)
def test_a_member_counts_where_its_name_is_read(
    make: Make, base: str, change: Files, counts: bool
) -> None:
    main = "from tips.places import Places\ndef run():\n    return Places('x').deeper()\n"
    text = PLACES.format(base=base, **PLAIN)
    package = make({"main.py": main, "places.py": text})
    files = {"places.py": PLACES.format(base=base, **PLAIN | change)}
    assert bool(edited(package, files, RUN)) == counts
    assert ("tips.places", "Places.data") in code.definitions(RUN, package=package)
    assert ("tips.places", "Places.lost") not in code.definitions(RUN, package=package)


@pytest.mark.parametrize(
    "main",
    [
        "from tips.places import Places\ndef run():\n    return getattr(Places(), 'lost')\n",
        "from tips.places import Places\nclass run(Places, dict):\n    x = 1\n",
        "from tips.places import Places\n"
        "def run(x):\n    match x:\n        case Places(lost=y): 1\n",
    ],
)
def test_a_member_may_be_named_otherwise(make: Make, main: str) -> None:
    package = make({"main.py": main, "places.py": PLACES.format(base="", **PLAIN)})
    files = {"places.py": PLACES.format(base="", **PLAIN | {"lost": "'bb'"})}
    assert edited(package, files, RUN) == ["places.py"]


@pytest.mark.parametrize(
    "head", ["class run(Base):", "class run(metaclass=Base):", "@Base\nclass run:"]
)
def test_every_method_counts_where_a_stranger_may_call_it(make: Make, head: str) -> None:
    text = f"from torch import Base\n{head}\n    def forward(self): return "
    main = "from tips.part import run as it\ndef run():\n    return it\n"
    package = make({"main.py": main, "part.py": text + "1\n"})
    assert edited(package, {"part.py": text + "22\n"}, RUN) == ["part.py"]


SETTINGS = """
from typing import Literal
from tips.config import Inner, LEAST

class Outer(Inner):
    kind: Literal["a", "b"] = "a"
    size: LEAST

    @property
    def area(self):
        return self.size * 2
"""
EXPERIMENT = """
from pydantic import BaseModel
class Part(BaseModel):
    model_config = {"frozen": True}
class Inner(Part):
    other: int
"""


def test_fields_of_settings_are_not_code_but_what_they_name_is(make: Make) -> None:
    files = {
        "main.py": "from tips.config.outer import Outer\ndef run(x: Outer):\n    return x\n",
        "config/__init__.py": "from tips.config.experiment import Inner\n"
        "from tips.config.limits import LEAST\n",
        "config/experiment.py": EXPERIMENT,
        "config/limits.py": "LEAST = 3\n",
        "config/outer.py": SETTINGS,
    }
    package = make(files)
    outer, experiment = "config/outer.py", "config/experiment.py"
    literal = {outer: SETTINGS.replace('"a", "b"', '"a", "b", "c"')}
    assert edited(package, literal, RUN) == []
    field = {experiment: EXPERIMENT.replace("other: int", "other: int\n    third: str = 'x'")}
    assert edited(package, field, RUN) == []
    assert edited(package, {outer: SETTINGS.replace("* 2", "* 3")}, RUN) == [outer]
    assert edited(package, {"config/limits.py": "LEAST = 4\n"}, RUN) == ["config/limits.py"]
    frozen = {experiment: EXPERIMENT.replace("True", "False")}
    assert edited(package, frozen, RUN) == [experiment]
    stranger = {experiment: EXPERIMENT.replace("from pydantic import", "from other import")}
    put(package, stranger)
    assert edited(package, {outer: SETTINGS.replace('"a", "b"', '"a"')}, RUN) == [outer]
