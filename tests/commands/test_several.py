"""Commands that take several datasets: one that is damaged does not keep them from the others."""

from __future__ import annotations

import re

import pytest
from datasets import SUFFIXES, beside, some_samples, write

from ddfast import FileWriter
from ddfast.commands import __main__ as command

COMMANDS = [
    "verify",
    "verify --quick",
    "verify --json",
    "info",
    "index -y",
    "index --checksums -y",
    "cp -y",
    "rm",
]
DAMAGES = {
    "removed": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "odd": lambda file: file.write_bytes(b"\xff odd \x00"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-3]),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a link to itself": lambda file: (file.unlink(), file.symlink_to(file.name)),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with three datasets."""
    for name in "abc":
        write(
            tmp_path / name,
            [{**sample, "key": f"{name}{i}"} for i, sample in enumerate(some_samples(4))],
            "ddfast",
        )
    (tmp_path / "to").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", ["", *SUFFIXES, ".md5", ".xxh3"])
@pytest.mark.parametrize("call", COMMANDS)
def test_others_are_looked_at(folder, capsys, call, suffix, damage):
    DAMAGES[damage](beside(folder / "b", suffix))
    name, *options = call.split()
    target = ["to"] if name == "cp" else []
    status = command.main([name, *options, "a", "b", "c", *target])
    out, err = capsys.readouterr()
    assert status in (0, 1)
    for done in "ac":
        lines = [
            line
            for line in out.splitlines()
            if line.lstrip(' "file:').startswith((f"{done}:", f"{done} ", f'{done}"'))
        ]
        assert lines, out
    errors = err.splitlines()
    assert len(errors) <= 1
    assert all(re.match(rf"ddfast {name}: .*\bb\b", line) for line in errors)
    assert status or not errors
    assert "Traceback" not in err


@pytest.mark.parametrize("call", ["verify", "info", "index -y", "rm", "mv", "cp"])
def test_drafts_are_told_with_the_way_to_finish_them(folder, capsys, call):
    name, *options = call.split()
    writer = FileWriter("draft", disable=True)
    writer.write({"key": "a"})
    assert command.main([name, *options, "draft", "a", *(["to"] if name in ("mv", "cp") else [])]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"ddfast {name}: draft not found. A writer has started it")
    assert "`ddfast recover draft` makes a dataset" in err
    assert out.startswith("a")
    writer.close()


@pytest.mark.parametrize("call", ["verify", "info", "index -y", "rm"])
def test_missing_ones_are_named_and_the_others_are_looked_at(folder, capsys, call):
    name, *options = call.split()
    assert command.main([name, *options, "nowhere", "a", "no*", "c"]) == 1
    out, err = capsys.readouterr()
    assert err == f"ddfast {name}: nowhere not found\nddfast {name}: no* not found\n"
    assert "a: " in out
    assert "c: " in out
