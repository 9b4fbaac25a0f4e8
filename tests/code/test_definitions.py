"""What counts as used: every rule on a package of a few lines."""

import pytest
from packages import RUN, Make, edited, put

from tips import code

MAIN = """
'''What it does.'''
import logging
from tips.part import helper

log = logging.getLogger(__name__)
RATE = 2

def run(x):
    '''Doc.'''
    log.info("at %s", x)
    return helper(x) * RATE

def other(x):
    return x
"""
PART = """
from tips.base import STEP

def helper(x):
    return x + STEP

def unused(x):
    return x - STEP
"""
SMALL = {"main.py": MAIN, "part.py": PART, "base.py": "STEP = 1\nSTRIDE = 2\n"}


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("main.py", "return x\n", "return -x\n", []),
        ("part.py", "x - STEP", "x - 2 * STEP", []),
        ("base.py", "STRIDE = 2", "STRIDE = 3", []),
        ("main.py", "'''Doc.'''", "'''Other words.'''  # and a comment", []),
        ("main.py", "    '''Doc.'''\n", "", []),
        ("main.py", "'''What it does.'''", "", []),
        ("main.py", '"at %s", x', '"now at %s", x + 1', []),
        ("main.py", '    log.info("at %s", x)\n', '    logging.info("at")\n    "a string"\n', []),
        ("part.py", "def helper", "\n\n\ndef helper", []),
        ("main.py", "RATE = 2", "RATE = 3", ["main.py"]),
        ("main.py", "* RATE", "+ RATE", ["main.py"]),
        ("base.py", "STEP = 1", "STEP = 2", ["base.py"]),
        ("base.py", "STEP = 1", "STEP: int = 1", ["base.py"]),
        ("base.py", "STEP = 1", "STEP, _ = 2, 3", ["base.py"]),
        ("base.py", "STRIDE = 2", "STRIDE = 2\nSTEP += 1", ["base.py"]),
        ("part.py", "helper(x)", "helper(x=3)", ["part.py"]),
        ("main.py", "import helper", "import unused as helper", ["main.py", "part.py"]),
    ],
)
def test_what_is_reached_counts_and_nothing_else(
    make: Make, file: str, old: str, new: str, counts: list[str]
) -> None:
    package = make(SMALL)
    assert old in SMALL[file]
    assert edited(package, {file: SMALL[file].replace(old, new, 1)}, RUN) == counts


def test_the_whole_of_a_root_module_counts(make: Make) -> None:
    package = make(SMALL)
    files = {"main.py": MAIN.replace("return x\n", "return -x\n")}
    assert edited(package, files, "tips.main") == ["main.py"]
    assert list(code.used("tips.main", package=package)) == ["base.py", "main.py", "part.py"]


def test_the_fingerprint_follows_what_is_used(make: Make) -> None:
    package = make(SMALL)
    marks = [code.fingerprint(RUN, package=package) for _ in range(2)]
    put(package, {"base.py": "STEP = 1\nSTRIDE = 3\n"})
    marks.append(code.fingerprint(RUN, package=package))
    assert len(set(marks)) == 1
    put(package, {"base.py": "STEP = 2\nSTRIDE = 3\n"})
    assert code.fingerprint(RUN, package=package) not in marks
    assert len(marks[0]) == 64


def test_moving_a_definition_within_its_file_means_nothing(make: Make) -> None:
    package = make({"main.py": "def a():\n    return 1\n\ndef b():\n    return 2\n"})
    moved = {"main.py": "def b():\n    return 2\n\ndef a():\n    return 1\n"}
    assert edited(package, moved, "tips.main") == []


def test_a_body_of_nothing_but_words_is_empty(make: Make) -> None:
    text = "import logging\nlog = logging.getLogger(__name__)\ndef run():\n    "
    package = make({"main.py": text + "log.info('x')\n"})
    assert edited(package, {"main.py": text + "pass\n"}, RUN) == []
    assert edited(package, {"main.py": text + "'''Doc.'''\n"}, RUN) == []


def test_a_list_that_is_called_log_is_no_logger(make: Make) -> None:
    text = "import logging\nlog = logging.getLogger(__name__)\ndef run(log):\n    log.append({})\n"
    package = make({"main.py": text.format(1)})
    assert edited(package, {"main.py": text.format(2)}, RUN) == ["main.py"]


@pytest.mark.parametrize(
    "main",
    [
        "from tips.deep import helper\ndef run():\n    return helper()",
        "from tips.deep import helper as h\ndef run():\n    return h()",
        "from tips import deep\ndef run():\n    return deep.helper()",
        "import tips.deep as d\ndef run():\n    return d.helper()",
        "import tips.deep.inner\ndef run():\n    return tips.deep.inner.helper()",
        "import tips.deep\ndef run():\n    return [tips.deep.helper() for _ in range(2)]",
        "def run():\n    from tips.deep import helper\n    return helper()",
        "def run():\n    import tips.deep.inner as i\n    return i.helper()",
        "from .deep import helper\ndef run():\n    return helper()",
        "from .deep.inner import *\ndef run():\n    return helper()",
        "from tips import deep\ndef run():\n    return vars(deep)['hel' + 'per']()",
        "from tips import deep\ndef run(how=deep.helper):\n    return how()",
        "from tips import deep\n@deep.helper\ndef run():\n    return 1",
        "from tips import deep\nclass run(deep.helper):\n    x = 1",
        "from tips import deep\nclass run:\n    def __init__(self):\n        deep.helper()",
        "from tips import deep\ndef run(x: 'deep.helper'):\n    return x",
        "import typing\nif typing.TYPE_CHECKING:\n    from tips.deep import helper\n"
        "def run(x: helper):\n    return x",
        "try:\n    from tips.deep import helper\nexcept ImportError:\n    helper = None\n"
        "def run():\n    return helper()",
        "from tips import deep\nrun = {'a': lambda: deep.helper()}",
        "from tips import deep\nb, c = (t := deep.helper), 2\ndef run():\n    return t()",
        "from tips.far import again\ndef run():\n    return again()",
    ],
)
def test_a_name_is_followed_however_it_is_imported(make: Make, main: str) -> None:
    files = {
        "main.py": main + "\n",
        "deep/__init__.py": "from tips.deep.inner import helper\n",
        "deep/inner.py": "def helper(*_):\n    return 1\n\ndef unused():\n    return 1\n",
        "far.py": "def __getattr__(name):\n    from tips.deep import helper\n    return helper\n",
    }
    package = make(files)
    assert "tips.deep.inner" in code.modules(RUN, package=package)
    inner = files["deep/inner.py"]
    other = {"deep/inner.py": inner.replace("def helper(*_):\n    return 1", "def helper(*_): 2")}
    assert edited(package, other, RUN) == ["deep/inner.py"]
    unused = {"deep/inner.py": other["deep/inner.py"].replace("unused():\n    return 1", "u(): 2")}
    assert edited(package, unused, RUN) == []


def test_a_module_as_a_value_counts_whole(make: Make) -> None:
    main = "from tips import part\ndef run():\n    return getattr(part, input())\n"
    package = make(SMALL | {"main.py": main})
    assert edited(package, {"part.py": PART.replace("x - STEP", "x")}, RUN) == ["part.py"]


def test_a_local_name_may_hide_a_global_one(make: Make) -> None:
    main = "from tips.base import STEP\ndef run():\n    STEP = 3\n    return STEP\n"
    package = make({"main.py": main, "base.py": "STEP = 1\n"})
    assert ("tips.main", "run") in code.definitions(RUN, package=package)


def test_statements_of_every_imported_module_count(make: Make) -> None:
    files = {
        "main.py": "from tips.deep import inner\ndef run():\n    return 1\n",
        "deep/__init__.py": "import os\nos.environ['A'] = 'a'\n",
        "deep/inner.py": "import tips.last\nX = 1\n",
        "last.py": "if True:\n    print(1)\n",
        "apart.py": "print(1)\n",
    }
    package = make(files)
    inits = {"deep/__init__.py": files["deep/__init__.py"].replace("'a'", "'b'")}
    assert edited(package, inits, RUN) == ["deep/__init__.py"]
    assert edited(package, {"last.py": "if True:\n    print(2)\n"}, RUN) == ["last.py"]
    assert edited(package, {"deep/inner.py": "import tips.last\nX = 2\n"}, RUN) == []
    assert edited(package, {"apart.py": "print(2)\n"}, RUN) == []
    put(package, files | {"main.py": "import tips.deep.inner\ndef run(): 1\n"})
    assert edited(package, inits, RUN) == ["deep/__init__.py"]
    program = {"last.py": "if True:\n    print(1)\nif __name__ == '__main__':\n    print(3)\n"}
    assert edited(package, program, RUN) == []
    names = {"tips", "tips.main", "tips.deep", "tips.deep.inner", "tips.last"}
    assert code.modules(RUN, package=package) == names


def test_what_a_decorator_registers_counts(make: Make) -> None:
    package = make({"main.py": "book = []\n@book.append\ndef kept(): return 1\ndef run(): book\n"})
    changed = {"main.py": "book = []\n@book.append\ndef kept(): return 2\ndef run(): book\n"}
    assert edited(package, changed, RUN) == ["main.py"]


@pytest.mark.parametrize("root", ["tips.absent", "tips.main:absent", "absent", "tips.main:run.x"])
def test_an_unknown_root_is_refused_in_one_line(make: Make, root: str) -> None:
    with pytest.raises(ValueError, match=r"root '.*absent|run\.x") as caught:
        code.used(root, package=make(SMALL))
    with pytest.raises(ValueError, match=r"root 'tips\.absent"):
        code.used(RUN, parts=["tips.absent"], package=make(SMALL))
    assert "\n" not in str(caught.value)


def test_changed_names_what_differs_or_is_in_one_only() -> None:
    then, now = {"a": "1", "b": "2", "d": "4"}, {"c": "3", "b": "3", "d": "4"}
    assert code.changed(then, now) == ["a", "b", "c"]
