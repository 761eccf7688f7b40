"""The commands that move samples: Ctrl-C and a full disk leave nothing under a final name, and nothing else."""

from __future__ import annotations

import pytest
from datasets import keys_of, some_samples, write
from moving import files_in, names_of

from ddfast import MsgpackReader

COMMANDS = {
    "shuffle": ["in0", "out"],
    "merge": ["in0", "in1", "out"],
    "sample": ["in0", "out", "250"],
    "split": ["in0", "150", "-o", "out", "rest"],
}

PREPARE = """
import os, resource, signal, sys
from ddfast import RawWriter
from ddfast.commands import _move
from ddfast.commands.__main__ import entry

_move.BATCH_BYTES = 10_000
"""

INTERRUPT = """
left, write_many = int(sys.argv.pop(1)), RawWriter.write_many

def interrupting(writer, keys, samples):
    global left
    write_many(writer, keys, samples)
    left -= 1
    if left == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where it is ignored
        os.kill(os.getpid(), signal.SIGINT)

RawWriter.write_many = interrupting
entry()
"""

LIMIT = """
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
entry()
"""


@pytest.fixture
def folder(tmp_path):
    for i in range(2):
        write(tmp_path / f"in{i}", [{**each, "key": f"{i}: {each['key']}"} for each in some_samples(300)])
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_command_leaves_nothing(folder, run_python, name):
    done = run_python("-c", PREPARE + INTERRUPT, "3", name, *COMMANDS[name])
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert files_in(folder) == names_of("in0", "in1")


def test_interrupted_command_leaves_what_there_was(folder, run_python):
    write(folder / "out", some_samples(5))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run_python("-c", PREPARE + INTERRUPT, "3", "shuffle", "in0", "out", "-y").returncode == 130
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_interrupted_split_leaves_the_parts_that_are_complete(folder, run_python):
    done = run_python("-c", PREPARE + INTERRUPT, "3", "split", "in0", "5", "-o", "out", "rest")
    assert done.returncode == 130
    assert files_in(folder) == sorted([*names_of("in0", "in1", "out"), "out.xxh3"])
    with MsgpackReader(folder / "out") as reader:
        assert list(reader.keys()) == [f"0: {key}" for key in keys_of(some_samples(5))]


@pytest.mark.parametrize("name", COMMANDS)
def test_full_disk_is_named_and_nothing_left(folder, run_python, name):
    done = run_python("-c", PREPARE + LIMIT, name, *COMMANDS[name])
    assert done.returncode == 1
    assert done.stderr == f"ddfast {name}: [Errno 27] File too large: 'out'\n"
    assert files_in(folder) == names_of("in0", "in1")
