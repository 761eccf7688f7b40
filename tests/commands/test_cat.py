"""The command ddfast-cat: the same lines as datadings-cat, and more ways to ask for them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import reprlib
import subprocess
import sys

import datadings.commands.cat
import numpy as np
import pytest
from datasets import beside, damage, keys_of, some_samples, write
from hypothesis import given
from hypothesis import strategies as st

from ddfast.commands import __main__ as command
from ddfast.commands.cat import Short, cat, plain
from ddfast.writer import RawWriter

SAMPLES = [
    *some_samples(12),
    {"key": "long", "text": "x" * 200, "quotes": 'it\'s "so"', "list": list(range(50)), "b": b"'" * 90},
    {
        "key": "arrays",
        "big": np.zeros((300, 300)),
        "int": np.arange(5),
        "deep": {"a": {"b": {"c": [1, [2, [3]]]}}},
    },
    {"key": "many", **{f"field {i}": i for i in range(60)}},
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("cat") / "x.msgpack", SAMPLES)


def printed(function, *args):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        function(*args)
    return out.getvalue()


def run(*argv):
    return command.main(["cat", *map(str, argv)])


@pytest.mark.parametrize("maxstring", [40, 5, 1000])
def test_lines_are_those_of_datadings(path, maxstring):
    assert printed(cat, path, maxstring) == printed(datadings.commands.cat.cat, path, maxstring)


@given(
    st.lists(st.sampled_from([b"a", b"'", b'"', b"\\", b"\n", b"\xff", b"x" * 31]), max_size=80).map(b"".join)
)
def test_bytes_are_abbreviated_as_reprlib_does_it(value):
    assert Short().repr(value) == reprlib.Repr().repr(value)


def test_process_prints_what_datadings_prints_but_for_its_last_empty_line(path, run_python):
    ours = run_python("-m", "ddfast.commands.cat", str(path), "-s", "20")
    theirs = subprocess.run(
        [sys.executable, "-m", "datadings.commands.cat", str(path), "-s", "20"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ours.returncode == theirs.returncode == 0
    assert ours.stdout + "\n" == theirs.stdout
    assert ours.stderr == ""


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["-n", 3], slice(0, 3)),
        (["--start", 5], slice(5, None)),
        (["--start", -2], slice(-2, None)),
        (["--start", -5, "-n", 2], slice(-5, -3)),
        (["--start", -2, "-n", 2], slice(-2, None)),
        (["--start", 2, "--stop", 4], slice(2, 4)),
        (["--stop", -3], slice(0, -3)),
        (["--start", 99], slice(99, None)),
    ],
    ids=str,
)
def test_parts_are_chosen_as_python_slices(path, capsys, options, chosen):
    assert run(path, "--keys", *options) == 0
    assert capsys.readouterr().out.splitlines() == keys_of(SAMPLES)[chosen]
    assert run(path, "--json", *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["key"] for line in lines] == keys_of(SAMPLES)[chosen]


def test_keys_are_printed_without_the_samples(path, tmp_path, capsys):
    for file in path.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damage(tmp_path / path.name, 0)
    assert run(tmp_path / path.name, "--keys", "--json") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == keys_of(SAMPLES)


def test_json_describes_what_it_cannot_hold():
    value = {
        "bytes": b"abc",
        "array": np.zeros((2, 3), np.float32),
        "scalar": np.int16(3),
        "nan": float("nan"),
        "inf": np.float32("inf"),
        "complex": 1j,
        "list": [None, True, {"a": (1,)}],
        7: "seven",
    }
    text = json.dumps(plain(value), allow_nan=False)
    assert json.loads(text) == {
        "bytes": {"type": "bytes", "size": 3},
        "array": {"type": "ndarray", "dtype": "float32", "shape": [2, 3]},
        "scalar": 3,
        "nan": "nan",
        "inf": "inf",
        "complex": "1j",
        "list": [None, True, {"a": [1]}],
        "7": "seven",
    }


@pytest.mark.parametrize("start", [b"\x91", b"\x81\xa1a", b"\x92\x91\xc0"])
def test_samples_of_any_depth_are_printed(tmp_path, capsys, start):
    inner = 1022 * start + b"\xc0"
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("k", b"\x82\xa3key\xa1k\xa1x" + inner)
    limit = sys.getrecursionlimit()
    assert run("--json", tmp_path / "x") == run(tmp_path / "x") == 0
    assert sys.getrecursionlimit() == limit
    assert capsys.readouterr().out.count("null") >= 1


def test_characters_that_the_terminal_lacks_are_escaped(tmp_path, monkeypatch):
    path = write(tmp_path / "x", [{"key": "a", "text": "ß"}])
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run(path) == 0
    assert terminal.buffer.getvalue() == b"{'key': 'a', 'text': '\\xdf'}\n"


def test_reader_of_the_output_may_leave_early(tmp_path, run_python):
    path = write(tmp_path / "many.msgpack", [{"key": f"{i:050}"} for i in range(5000)])
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = run_python("-m", "ddfast", "cat", str(path), stdout=write_end)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_dataset_without_keys_is_printed_without_a_warning(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", [{"key": "a"}])
    beside(path, ".keys").unlink()
    assert run(path) == 0
    assert capsys.readouterr() == ("{'key': 'a'}\n", "")


def test_empty_dataset_prints_nothing(tmp_path, capsys):
    assert run(write(tmp_path / "x.msgpack", [])) == 0
    assert capsys.readouterr().out == ""


def test_damaged_sample_ends_the_output_with_a_reason(tmp_path, run_python):
    path = write(tmp_path / "x.msgpack", [{"key": "a"}, {"key": "b"}])
    damage(path, 1)
    done = run_python("-m", "ddfast", "cat", str(path))
    assert done.returncode == 1
    assert done.stdout == "{'key': 'a'}\n"
    assert "sample 1 ('b') is damaged" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "options", [["--stop", "3", "-n", "3"], ["-n", "0"], ["-s", "none"], ["--unknown"], []]
)
def test_wrong_arguments_end_with_usage(path, capsys, options):
    with pytest.raises(SystemExit) as end:
        run(*([path] if options else []), *options)
    assert end.value.code == 2
    assert "usage: ddfast cat" in capsys.readouterr().err
