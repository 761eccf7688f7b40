"""The commands that move samples: the datasets that datadings' functions make, byte for byte."""

from __future__ import annotations

import contextlib
import importlib
import random
from types import SimpleNamespace

import datadings.commands.merge
import datadings.commands.sample
import datadings.commands.shuffle
import datadings.commands.split
import datadings.reader
import datadings.writer
import numpy as np
import pytest
from datasets import beside, some_samples, write, write_legacy
from moving import COMMANDS, FILES, dataset, files_in, keys_in, names_of, run

from ddfast.commands import merge, sample, shuffle, split

pytestmark = pytest.mark.usefixtures("small_batches")

THEIRS = datadings.commands


@pytest.fixture
def both(tmp_path):
    """``both(function, theirs, name, ...)`` compares what both functions write to a file of this name."""

    def compare(ours, theirs, *names):
        folders = [tmp_path / "ours", tmp_path / "theirs"]
        for folder, function in zip(folders, [ours, theirs], strict=True):
            random.seed(7)
            function(*(folder / name for name in names))
            function_state = random.getstate()
            if folder == folders[0]:
                state = function_state
        assert state == function_state
        for name in names:
            for suffix in FILES:
                made, expected = (beside(folder / name, suffix).read_bytes() for folder in folders)
                assert made == expected, suffix

    return compare


# -- the same datasets


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 300])
@pytest.mark.parametrize(("buf_size", "chunk_size"), [(0.01, 16), (5, 3), (1000, 16), (1, 1)])
def test_shuffle_writes_what_datadings_writes(tmp_path, both, count, buf_size, chunk_size):
    path = dataset(tmp_path, count=count)
    args = SimpleNamespace(true_shuffle=False, buf_size=buf_size, chunk_size=chunk_size, no_confirm=False)
    both(
        lambda out: shuffle.shuffle(path, out, args),
        lambda out: THEIRS.shuffle.shuffle(path, out, args),
        "out",
    )


@pytest.mark.parametrize("count", [0, 1, 300])
def test_true_shuffle_writes_what_datadings_writes(tmp_path, both, count):
    path = dataset(tmp_path, count=count)
    args = SimpleNamespace(true_shuffle=True, buf_size=None, chunk_size=None, no_confirm=False)
    both(
        lambda out: shuffle.shuffle(path, out, args),
        lambda out: THEIRS.shuffle.shuffle(path, out, args),
        "out",
    )


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("lens", [(300,), (1, 2), (150, 40, 90), (10,) * 12])
@pytest.mark.parametrize("function", ["merge_concat", "merge_random"])
def test_merge_writes_what_datadings_writes(tmp_path, both, function, lens, shuffled):
    paths = [dataset(tmp_path, f"in{i}", count, f"{i}: ") for i, count in enumerate(lens)]
    both(
        lambda out: getattr(merge, function)(paths, out, shuffled),
        lambda out: getattr(THEIRS.merge, function)(paths, out, shuffled),
        "out",
    )


@pytest.mark.parametrize("function", [merge.merge_concat, merge.merge_random])
def test_datasets_without_samples_change_nothing(tmp_path, function):
    paths = [dataset(tmp_path, f"in{i}", count, f"{i}: ") for i, count in enumerate([0, 20, 0, 40, 0])]
    for name, infiles in {"all": paths, "some": [paths[1], paths[3]]}.items():
        function(infiles, tmp_path / name, seed=7)
    assert keys_in(tmp_path / "all") == keys_in(tmp_path / "some")


@pytest.mark.parametrize("at", [1, 150, 299])
def test_split_in_two_writes_what_datadings_writes(tmp_path, both, at):
    path = dataset(tmp_path)

    def theirs(*outfiles):
        with contextlib.suppress(IndexError):  # it fails when all is written
            THEIRS.split.split_dataset(path, outfiles, [at], False)

    both(lambda *outfiles: split.split_dataset(path, outfiles, [at], False), theirs, "a", "b")


def test_split_in_many_writes_the_documented_parts(tmp_path, both):
    # datadings gives some samples to two parts: its writer is compared with, but not its function.
    path = dataset(tmp_path)
    splits = [1, 50, 50, 299]

    def theirs(*outfiles):
        reader = datadings.reader.MsgpackReader(path)
        for outfile, start, stop in zip(outfiles, [0, *splits], [*splits, 300], strict=True):
            with datadings.writer.RawWriter(outfile) as writer:
                for key, raw in reader.slice(start, stop, yield_key=True, raw=True):
                    writer.write(key, raw)

    both(lambda *outfiles: split.split_dataset(path, outfiles, splits, False), theirs, *"abcde")


@pytest.mark.parametrize("strategy", ["sequential", "random"])
@pytest.mark.parametrize(("count", "number"), [(300, 120), (300, 300), (300, 0), (10, 11), (0, 0), (1, 1)])
def test_sample_writes_what_datadings_writes(tmp_path, both, strategy, count, number):
    path = dataset(tmp_path, count=count)

    def theirs(out):
        with contextlib.suppress(IndexError):  # of a dataset without samples, when all is done
            THEIRS.sample.sample(path, out, number, strategy)

    both(lambda out: sample.sample(path, out, number, strategy), theirs, "out")


def test_index_of_old_is_enough(tmp_path, both):
    samples = some_samples(300)
    path = write_legacy(tmp_path / "in.msgpack", samples)
    full = write(tmp_path / "full.msgpack", samples)
    both(
        lambda out: sample.sample(path, out, 120, "random"),
        lambda out: THEIRS.sample.sample(full, out, 120, "random"),
        "out",
    )


def test_huge_sample_is_moved_among_small_ones(tmp_path, both):
    samples = some_samples(40)
    samples[7]["image"] = bytes(20_000_000)
    samples[8]["array"] = np.arange(100_000.0)
    path = write(tmp_path / "in.msgpack", samples)
    args = SimpleNamespace(true_shuffle=True, buf_size=None, chunk_size=None, no_confirm=False)
    both(
        lambda out: shuffle.shuffle(path, out, args),
        lambda out: THEIRS.shuffle.shuffle(path, out, args),
        "out",
    )


# -- what commands add


@pytest.mark.parametrize("options", [["--true-shuffle"], []], ids=str)
def test_shuffle_works_with_its_defaults_and_keeps_every_sample(tmp_path, options):
    path = dataset(tmp_path)
    assert run("shuffle", path, tmp_path / "out", *options) == 0
    keys = keys_in(tmp_path / "out")
    assert keys != keys_in(path)
    assert sorted(keys) == sorted(keys_in(path))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("shuffle", ["in0", "out"]),
        ("shuffle", ["in0", "out", "--true-shuffle"]),
        ("merge", ["in0", "in1", "out"]),
        ("merge", ["in0", "in1", "out", "-s", "concat", "--shuffle"]),
        ("merge", ["in0", "in1", "out", "--shuffle"]),
        ("sample", ["in0", "out", "50"]),
    ],
    ids=str,
)
def test_seed_makes_the_same_choices_each_time_and_others_than_another(
    tmp_path, monkeypatch, name, arguments
):
    monkeypatch.chdir(tmp_path)
    for i in range(2):
        dataset(tmp_path, f"in{i}", prefix=f"{i}: ")
    orders = []
    for seed in (1, 1, 2):
        assert run(name, *arguments, "-y", "--seed", seed) == 0
        orders.append(keys_in(tmp_path / "out"))
    assert orders[0] == orders[1] != orders[2]


def test_merge_takes_two_inputs_and_an_output(tmp_path):
    inputs = [dataset(tmp_path, f"in{i}", prefix=f"{i}: ") for i in range(2)]
    assert run("merge", *inputs, tmp_path / "out", "-s", "concat") == 0
    assert keys_in(tmp_path / "out") == [*keys_in(inputs[0]), *keys_in(inputs[1])]


def test_split_names_its_parts_after_the_input(tmp_path):
    path = dataset(tmp_path, "in.msgpack")
    assert run("split", path, 100, 200) == 0
    parts = [f"in-{i}.msgpack" for i in range(3)]
    expected = [*names_of("in.msgpack", *parts), *(f"{part}.xxh3" for part in parts)]
    assert files_in(tmp_path) == sorted(expected)
    assert [len(keys_in(tmp_path / f"in-{i}.msgpack")) for i in range(3)] == [100, 100, 100]


def test_sample_of_more_than_there_are_takes_all_and_says_so(tmp_path, capsys):
    path = dataset(tmp_path, count=10)
    assert run("sample", path, tmp_path / "out", 11, "-s", "sequential") == 0
    assert "in.msgpack has only 10 samples, not 11" in capsys.readouterr().err
    assert keys_in(tmp_path / "out") == keys_in(path)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_summarises_and_ends_with_an_example(name, run_python):
    done = run_python("-m", f"ddfast.commands.{name}", "--help")
    text = COMMANDS[name].__doc__
    assert done.returncode == 0
    assert f"usage: ddfast-{name}" in done.stdout
    assert text.partition("\n")[0].endswith(".")
    assert text.strip().splitlines()[-1].startswith(f"  ddfast {name} ")
    assert text.strip().splitlines()[-2] == "Example:"


def test_functions_are_where_datadings_has_them():
    for name, ours in COMMANDS.items():
        theirs = importlib.import_module(f"datadings.commands.{name}")
        for function in (
            "shuffle",
            "merge_concat",
            "merge_random",
            "split_dataset",
            "sample",
            "main",
            "entry",
        ):
            assert hasattr(ours, function) or not hasattr(theirs, function)
