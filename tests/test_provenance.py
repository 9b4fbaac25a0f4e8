"""The commit behind a result: what is asked of git, what never runs, and what is unknown."""

import os
import subprocess
from pathlib import Path

import pytest

from tips import provenance
from tips.provenance import NO_CHECKOUT, UNKNOWN, Checkout, checkout, file_digest, shown_commit
from tips.records import RecordError

CODE = "tips/made.py"
OWN = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
WHOLE = {CODE: "one = 1\n", "csrc/kernel.cpp": "int one;", "experiments/a.yaml": "a: 1\n"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *OWN, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one commit, which the package seems to be in."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    made = tmp_path / "checkout"
    for name, text in WHOLE.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    git(made, "init", "--quiet")
    git(made, "add", ".")
    git(made, "commit", "--quiet", "--message=first")
    monkeypatch.setattr(provenance, "PACKAGE", made / "tips")
    return made


def test_an_unedited_checkout_is_its_commit(folder: Path) -> None:
    (folder / "tips/untracked.py").write_text("")
    found = checkout()
    assert found == Checkout(git(folder, "rev-parse", "HEAD"), dirty=False)
    assert found.record == {"commit": found.commit, "dirty": False}


def test_the_difference_is_one_that_git_applies(folder: Path, tmp_path: Path) -> None:
    (folder / CODE).write_text("one = 2\nno newline = 3")
    (folder / "csrc/kernel.cpp").write_text("int one;\n")
    (folder / "experiments/a.yaml").unlink()
    (folder / "tips/new.py").write_text("new = 1\n")
    git(folder, "add", "--intent-to-add", "tips/new.py")
    found = checkout()
    assert found.dirty
    (tmp_path / "dirty.diff").write_text(found.diff)
    edited = {name: (folder / name).read_text() for name in (CODE, "csrc/kernel.cpp")}
    (folder / "tips/new.py").unlink()
    git(folder, "reset", "--quiet", "--hard")
    git(folder, "apply", str(tmp_path / "dirty.diff"))
    assert {name: (folder / name).read_text() for name in edited} == edited
    assert (folder / "tips/new.py").read_text() == "new = 1\n"
    assert not (folder / "experiments/a.yaml").exists()


def test_any_bytes_can_be_edited_in(folder: Path) -> None:
    (folder / "csrc/README.md").write_bytes(b"# z\xe9\n")
    git(folder, "add", "--intent-to-add", "csrc/README.md")
    (folder / CODE).write_bytes(b"\0")
    (folder / "experiments/a.yaml").unlink()
    (folder / "experiments/a.yaml").symlink_to("/dev/zero")
    diff = checkout().diff
    assert r"+# z\xe9" in diff
    assert f"Binary files a/{CODE} and b/{CODE} differ" in diff
    assert "+/dev/zero" in diff


PROGRAMS = {
    "a monitor of files": ({"core.fsmonitor": "EVIL"}, ""),
    "hooks": ({"core.hooksPath": "FOLDER"}, ""),
    "an external diff": ({"diff.external": "EVIL"}, ""),
    "a driver's text": ({"diff.evil.textconv": "EVIL"}, "*.py diff=evil"),
    "a driver's command": ({"diff.evil.command": "EVIL"}, "*.py diff=evil"),
    "a filter": ({"filter.evil.clean": "EVIL", "filter.evil.required": "true"}, "* filter=evil"),
    "a filter's process": ({"filter.evil.process": "EVIL"}, "* filter=evil"),
}


@pytest.mark.parametrize(("settings", "attributes"), PROGRAMS.values(), ids=PROGRAMS)
def test_nothing_runs_that_the_checkout_names_and_an_edit_is_seen(
    folder: Path, tmp_path: Path, settings: dict[str, str], attributes: str
) -> None:
    evil, ran = tmp_path / "evil/post-index-change", tmp_path / "ran"
    evil.parent.mkdir()
    evil.write_text(f"#!/bin/sh\ntouch {ran}\n")
    evil.chmod(0o755)
    (folder / CODE).write_text("one = 2\n")
    (folder / ".git/info/attributes").write_text(f"{attributes}\n")
    for name, value in settings.items():
        known = {"EVIL": str(evil), "FOLDER": str(evil.parent)}
        git(folder, "config", name, known.get(value, value))
    ran.unlink(missing_ok=True)
    found = checkout()
    assert not ran.exists()
    assert found.dirty
    assert "+one = 2" in found.diff


def test_a_partial_clone_fetches_nothing(folder: Path, tmp_path: Path) -> None:
    ran, evil = tmp_path / "ran", tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\n")
    evil.chmod(0o755)
    (folder / CODE).write_text("one = 2\n")
    blob = git(folder, "rev-parse", f"HEAD:{CODE}")
    (folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{evil}",
        "protocol.ext.allow": "always",
    }.items():
        git(folder, "config", name, value)
    found = checkout()
    assert not ran.exists()
    assert (found.dirty, found.reason) == (None, "git cat-file ended with code 128")


def test_the_environment_and_marks_in_the_index_hide_no_edit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / CODE).write_text("one = 2\n")
    git(folder, "update-index", "--assume-unchanged", CODE)
    for name, value in {
        "GIT_EXTERNAL_DIFF": "/bin/true",
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_CONFIG_COUNT": "x",
    }.items():
        monkeypatch.setenv(name, value)
    assert checkout().dirty


def in_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """Puts a program, or a folder, that is called git first and alone in PATH."""
    own = folder.parent / "bin"
    own.mkdir()
    if script is None:
        (own / "git").mkdir()
    else:
        (own / "git").write_text(script)
        (own / "git").chmod(0o755 if script else 0o644)
    monkeypatch.setenv("PATH", str(own))


@pytest.mark.parametrize("script", [None, ""], ids=["a folder", "not executable"])
def test_a_git_that_cannot_be_started_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    in_path(folder, monkeypatch, script)
    assert checkout() == Checkout(NO_CHECKOUT, dirty=False)


def test_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "tips")
    assert checkout().record == {"commit": NO_CHECKOUT, "dirty": False}


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "#!/bin/sh\necho \"fatal: detected dubious ownership in repository at '/x'\" >&2\n"
            "exit 128\n",
            "git refuses, because another user owns the checkout; ",
        ),
        ("#!/bin/sh\nexit 3\n", "git rev-parse ended with code 3"),
        ("#!/bin/sh\nexec /bin/sleep 60\n", "git did not answer within 0.2 s"),
    ],
    ids=["refused", "failed", "slow"],
)
def test_a_refusal_is_no_clean_checkout(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    in_path(folder, monkeypatch, script)
    monkeypatch.setattr(provenance, "PATIENCE", 0.2)
    found = checkout()
    assert (found.commit, found.dirty) == (UNKNOWN, None)
    assert found.reason.startswith(says)
    assert found.record == {"commit": UNKNOWN, "dirty": None, "dirty_reason": found.reason}


def test_git_itself_refuses_a_checkout_of_another_user(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's own tests have this switch, so that nobody has to be root."""
    monkeypatch.setenv("HOME", str(tmp_path))
    told = provenance.GIT_TOLD | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    monkeypatch.setattr(provenance, "GIT_TOLD", told)
    assert checkout().reason.startswith("git refuses")


@pytest.mark.parametrize(
    ("commit", "dirty", "reason", "words"),
    [
        ("a" * 40, False, "", "aaaaaaa"),
        ("a" * 64, True, "", "aaaaaaa + changes"),
        ("a" * 40, None, "why", "aaaaaaa + unknown changes (why)"),
        (UNKNOWN, None, "why", "unknown (why)"),
        (NO_CHECKOUT, False, "", NO_CHECKOUT),
        ("", None, "", ""),
    ],
)
def test_commits_are_worded_alike_everywhere(
    commit: str, dirty: bool | None, reason: str, words: str
) -> None:
    assert shown_commit(commit, dirty, reason) == words


def test_only_files_that_end_are_digested(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    for path in (pipe, link):
        with pytest.raises(RecordError, match="is no regular file"):
            file_digest(path)
    with pytest.raises(RecordError, match="is a folder"):
        file_digest(tmp_path)
    with pytest.raises(RecordError, match="no such file; make it"):
        file_digest(tmp_path / "gone", "make it")
