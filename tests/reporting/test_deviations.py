from pathlib import Path

from tips.reporting.deviations import collect, in_source

SOURCE = '''"""Module.

# Paper: a docstring says so too; here: it counts,
# because it is a block.
"""

# Paper: one thing
# over two lines; here: another, because of
# a reason.
x = 1  # a remark behind code is no part of the block
# A comment after code is none either.

y = "# Paper: a string is not a comment; here: nothing, because it is data"


def f():
    # Paper: inside a function; here: found, because comments are tokens.
    # Paper: the next one; here: apart, because it starts anew.
    return 2  # Paper: behind code; here: found, because it starts there.
'''


def test_blocks_are_joined_and_strings_passed_over() -> None:
    found = in_source(SOURCE, "tips/a.py")
    assert [(one.line, one.paper) for one in found] == [
        (3, "a docstring says so too"),
        (7, "one thing over two lines"),
        (17, "inside a function"),
        (18, "the next one"),
        (19, "behind code"),
    ]
    assert found[1].here == "another, because of a reason."
    assert found[0].here == "it counts, because it is a block."


def test_a_note_without_here_is_kept() -> None:
    (one,) = in_source("# Paper: interpolates crops\n", "tips/b.py")
    assert one.paper == "interpolates crops"
    assert one.here == ""


def test_the_repository_has_some_and_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "tips" / "deep").mkdir(parents=True)
    (tmp_path / "tips" / "deep" / "b.py").write_text("# Paper: b; here: c, because d\n")
    (tmp_path / "tips" / "a.py").write_text("x = 0\n# Paper: a; here: c, because d\n")
    found = collect(tmp_path)
    assert [(one.file, one.line) for one in found] == [("tips/a.py", 2), ("tips/deep/b.py", 1)]


def test_every_departure_in_the_code_is_complete() -> None:
    for one in collect(Path(__file__).parents[2]):
        assert one.here, f"{one.file}:{one.line} lacks `; here: ..., because ...`"
        assert "because" in one.here, f"{one.file}:{one.line} lacks its reason"


def test_departures_of_a_rivals_training_are_collected_too() -> None:
    repository = Path(__file__).parents[2]
    assert any("DSTA trains with AdamW" in one.paper for one in collect(repository))
    for path in (repository / "experiments").rglob("*.yaml"):
        assert "; here:" not in path.read_text(encoding="utf-8"), f"{path}: move it into tips/"
