"""The commands ddfast-cp, ddfast-mv and ddfast-rm."""

from __future__ import annotations

import os

import pytest
from datasets import SUFFIXES, beside, some_samples, write

from ddfast.commands import __main__ as command

ALL = ("", *SUFFIXES, ".md5", ".xxh3")
COPY_OR_MOVE = pytest.mark.parametrize("name", ["cp", "mv"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with three shards."""
    for i in range(3):
        write(tmp_path / f"part-{i}.msgpack", some_samples(3 + i), "ddfast")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    return tmp_path


def run(capsys, *argv):
    status = command.main(list(argv))
    return status, *capsys.readouterr()


def names(folder):
    return {path.name for path in folder.iterdir() if path.is_file()}


def files_of(*datasets):
    return {f"{dataset}{suffix}" for dataset in datasets for suffix in ALL}


@COPY_OR_MOVE
def test_a_dataset_gets_another_name(folder, capsys, name):
    status, out, err = run(capsys, name, "part-0.msgpack", "first.msgpack")
    assert (status, out, err) == (0, "part-0.msgpack -> first.msgpack (7 files)\n", "")
    kept = files_of("part-0.msgpack") if name == "cp" else set()
    assert names(folder) == files_of("first.msgpack", "part-1.msgpack", "part-2.msgpack") | kept
    assert run(capsys, "verify", "first.msgpack")[0] == 0


@COPY_OR_MOVE
@pytest.mark.parametrize("pattern", [["part-?.msgpack"], ["part-0.msgpack", "part-[12]*"]])
def test_several_datasets_go_into_a_folder(folder, capsys, name, pattern):
    (folder / "to").mkdir()
    status, out, _ = run(capsys, name, *pattern, "to/")
    assert status == 0
    assert out.splitlines()[2] == "part-2.msgpack -> to/part-2.msgpack (7 files)"
    assert names(folder / "to") == files_of(*(f"part-{i}.msgpack" for i in range(3)))
    assert names(folder) == (names(folder / "to") if name == "cp" else set())
    assert run(capsys, "verify", "to/*.msgpack")[0] == 0


@COPY_OR_MOVE
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["part-*.msgpack", "to"], "to is not a folder, but there are several datasets"),
        (["part-0.msgpack", "part-1.msgpack", "part-2.msgpack"], "part-2.msgpack is not a folder, but"),
        (["part-0.msgpack", "to/"], "to/ is not a folder. Create it first"),
        (["part-0.msgpack", "part-1.msgpack"], "part-1.msgpack exists, overwrite it? There is no terminal"),
        (["part-9.msgpack", "to"], "part-9.msgpack not found"),
        (["part-0.msgpack.keys", "to"], "is an index file. Name the data file, part-0.msgpack"),
        (
            ["s3://bucket/x.msgpack", "to"],
            "s3://bucket/x.msgpack is a URL, but the command takes local files",
        ),
        (["part-0.msgpack", "s3://bucket/x"], "s3://bucket/x is a URL, but the command takes local files"),
        (["part-0.msgpack", "to.md5"], "to.md5 has the name of an index file"),
        (["part-0.msgpack", "part-0.msgpack"], "are the same file"),
        (["part-0.msgpack", "part-0.msgpack", "-y"], "are the same file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    folder, capsys, name, arguments, message, monkeypatch
):
    monkeypatch.setattr("builtins.input", lambda: (_ for _ in ()).throw(EOFError))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    status, out, err = run(capsys, name, *arguments)
    assert status == 1
    assert all(line.startswith(f"ddfast {name}: ") for line in err.splitlines())
    assert message in err
    assert out.replace("part-0.msgpack exists, overwrite it?", "").count("->") == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@COPY_OR_MOVE
@pytest.mark.parametrize("answer", ["yes", "no", "-y"])
def test_overwriting_needs_a_yes(folder, capsys, name, answer, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda: answer)
    before = (folder / "part-1.msgpack").read_bytes()
    status, _, err = run(
        capsys, name, "part-0.msgpack", "part-1.msgpack", *([answer] if answer == "-y" else [])
    )
    assert status == (answer == "no")
    assert ("nothing was changed" in err) == (answer == "no")
    assert ((folder / "part-1.msgpack").read_bytes() == before) == (answer == "no")
    assert run(capsys, "verify", "part-1.msgpack")[0] == 0


@pytest.mark.parametrize("name", ["cp", "mv", "rm"])
def test_one_that_fails_does_not_keep_the_others(folder, capsys, name):
    beside(folder / "part-1.msgpack", ".offsets").unlink()
    beside(folder / "part-1.msgpack", ".keys").unlink()
    os.mkfifo(beside(folder / "part-1.msgpack", ".keys"))
    (folder / "notes.txt").touch()
    (folder / "to").mkdir()
    files = [
        "nowhere.msgpack",
        "part-0.msgpack",
        "notes.txt" if name == "rm" else "part-1.msgpack",
        "part-2.msgpack",
    ]
    status, out, err = run(capsys, name, *files, *(["to"] if name != "rm" else []))
    assert status == 1
    assert [line.split(" ")[0].rstrip(":") for line in out.splitlines()] == [
        "part-0.msgpack",
        "part-2.msgpack",
    ]
    missing, failed = err.splitlines()
    assert missing == f"ddfast {name}: nowhere.msgpack not found"
    reason = "notes.txt has no index files" if name == "rm" else "not a regular file"
    assert reason in failed
    assert ("notes.txt" if name == "rm" else "part-1.msgpack.keys") in failed


@COPY_OR_MOVE
def test_datasets_of_the_same_name_do_not_overwrite_each_other(folder, capsys, name):
    (folder / "to").mkdir()
    (folder / "other").mkdir()
    write(folder / "other/part-0.msgpack", some_samples(9), "ddfast")
    status, out, err = run(capsys, name, "-y", "part-0.msgpack", "other/part-0.msgpack", "to")
    assert status == 1
    assert out.count("->") == 1
    assert "other/part-0.msgpack and part-0.msgpack have the same name in to" in err
    assert names(folder / "other") == files_of("part-0.msgpack")


@pytest.mark.parametrize("call", ["cp", "mv", "rm", "verify", "info", "index -y"])
def test_names_that_a_shell_expands_may_contain_index_files(folder, capsys, call):
    (folder / "to").mkdir()
    expanded = sorted(path.name for path in folder.glob("part-*"))
    name, *options = call.split()
    status, out, err = run(capsys, name, *options, *expanded, *(["to"] if name in ("cp", "mv") else []))
    assert (status, err) == (0, "")
    assert [f"part-{i}.msgpack" in out for i in range(3)] == [True] * 3
    if name in ("mv", "rm"):
        assert names(folder) == set()
    assert run(capsys, name, "part-0.msgpack.keys", "to")[0] == 1


def test_a_name_and_what_a_shell_adds_to_it_are_one_dataset(folder, capsys):
    expanded = sorted(path.name for path in folder.glob("part-0*"))
    assert run(capsys, "mv", *expanded, "y.msgpack")[:2] == (0, "part-0.msgpack -> y.msgpack (7 files)\n")


def test_removing_takes_all_files(folder, capsys):
    status, out, _ = run(capsys, "rm", "part-[01].msgpack")
    assert (status, out) == (0, "part-0.msgpack: 7 files removed\npart-1.msgpack: 7 files removed\n")
    assert names(folder) == files_of("part-2.msgpack")


def test_dry_run_lists_what_would_be_removed(folder, capsys):
    before = names(folder)
    status, out, _ = run(capsys, "rm", "--dry-run", "part-[01].msgpack")
    assert status == 0
    assert set(out.splitlines()) == files_of("part-0.msgpack", "part-1.msgpack")
    (folder / "notes.txt").touch()
    before.add("notes.txt")
    assert run(capsys, "rm", "--dry-run", "notes.txt")[0] == 1
    assert names(folder) == before


def test_index_files_that_remain_can_be_removed(folder, capsys):
    (folder / "part-0.msgpack").unlink()
    assert run(capsys, "rm", "part-0.msgpack")[:2] == (0, "part-0.msgpack: 6 files removed\n")
    assert names(folder) == files_of("part-1.msgpack", "part-2.msgpack")
