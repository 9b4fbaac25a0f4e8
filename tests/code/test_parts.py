"""Of a module that is imported by a computed name counts what the code names."""

import pytest
from packages import RUN, Make, edited

NETWORK = """
from tips.other import handed
WIDTH = 3
IDLE = 4

class Net:
    def wide(self): return WIDTH

def build(): return Net()

def idle(): return IDLE
"""
FINDS = "from importlib import import_module\ndef run(x): return import_module(x).{name}{call}\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "counts"),
    [
        ("build", "Net()", "Net(), 1", ["network.py"]),
        ("build", "IDLE = 4", "IDLE = 5", []),
        ("build", "IDLE\n", "IDLE + 1\n", []),
        ("build", "return WIDTH", "return 2", []),
        ("build", "WIDTH = 3", "WIDTH = 4", []),
        ("build().wide", "WIDTH = 3", "WIDTH = 4", ["network.py"]),
        ("build", "WIDTH = 3", "print()", ["network.py"]),
        ("idle", "IDLE = 4", "IDLE = 5", ["network.py"]),
        ("idle", "Net()", "Net(), 1", []),
    ],
)
def test_of_a_part_counts_what_the_code_names(
    make: Make, name: str, old: str, new: str, counts: list[str]
) -> None:
    main = FINDS.format(name=name, call="()")
    package = make({"main.py": main, "network.py": NETWORK, "other.py": "def handed(): 1\n"})
    files = {"network.py": NETWORK.replace(old, new, 1)}
    assert files["network.py"] != NETWORK
    assert edited(package, files, RUN, parts=("tips.network",)) == counts
    assert edited(package, {"network.py": NETWORK}, RUN) == []


@pytest.mark.parametrize(("name", "counts"), [("handed", ["other.py"]), ("build", [])])
def test_a_part_hands_on_what_it_imports(make: Make, name: str, counts: list[str]) -> None:
    main = FINDS.format(name=name, call="()")
    package = make({"main.py": main, "network.py": NETWORK, "other.py": "def handed(): 1\n"})
    other = {"other.py": "def handed(): 2\n"}
    assert edited(package, other, RUN, parts=("tips.network",)) == counts
