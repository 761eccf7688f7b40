"""Readers that are pickled, closed, forked or shared by threads, or whose file is removed."""

import copy
import gc
import os
import pickle
import threading
import time
import traceback

import pytest
from datasets import beside, descriptors, keys_of, overwrite, replace, some_samples, threads, write

from ddfast.errors import ClosedError, DatasetChangedError, DdfastError, ReadError
from ddfast.reader import MsgpackReader
from ddfast.testing import assert_same_sample

SAMPLES = some_samples(200)
OTHERS = [{"key": f"other {i}", "x": i} for i in range(300)]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


@pytest.fixture
def reader(path):
    with MsgpackReader(path) as reader:
        yield reader


def assert_reads(reader, samples=SAMPLES):
    assert_same_sample(list(reader.iter(0)), samples)
    assert_same_sample(reader.get(3), samples[3])
    assert_same_sample([sample for batch in reader.batches(64) for sample in batch], samples)
    assert_same_sample(list(reader.get_many([5, 1])), [samples[5], samples[1]])
    assert reader.find_index(samples[7]["key"]) == 7
    assert list(reader.keys()) == keys_of(samples)


# -- pickled, copied, closed


@pytest.mark.parametrize("state", ["fresh", "used", "closed"])
def test_a_pickled_reader_opens_its_files_again(reader, state):
    if state != "fresh":
        assert_reads(reader)
        reader.seek(4)
    if state == "closed":
        reader.close()
    other = pickle.loads(pickle.dumps(reader))
    assert_same_sample(other.next(), SAMPLES[0 if state == "fresh" else 4])
    with other:
        assert_reads(other)


def test_a_pickled_reader_keeps_its_options(path):
    reader = MsgpackReader(str(path), allow_pickle=True, columns=["label"])
    other = pickle.loads(pickle.dumps(reader))
    assert other.get_many([1]).columns == ("label",)
    assert other._options.allow_pickle


def test_a_closed_reader_opens_again_when_used(reader):
    assert_reads(reader)
    reader.close()
    reader.close()
    assert len(reader) == 200
    assert_reads(reader)


def test_closing_ends_threads_and_closes_files(path):
    before = {*threads(), *descriptors()}
    with MsgpackReader(path) as reader:
        assert_reads(reader)
        assert {*descriptors()} - before
    gc.collect()
    for _ in range(200):  # a thread that has ended its work takes time to go
        if not {*threads(), *descriptors()} - before:
            break
        time.sleep(0.01)
    assert {*threads(), *descriptors()} - before == set()


def test_dropping_a_reader_closes_its_files(path):
    before = descriptors()
    reader = MsgpackReader(path)
    batches = reader.batches(4)
    next(batches)
    del reader, batches
    gc.collect()
    assert descriptors() == before


def test_batches_stay_valid_when_the_reader_is_closed(path):
    with MsgpackReader(path) as reader:
        first = next(reader.batches(64))
        many = reader.get_many([1, 2])
    gc.collect()
    assert_same_sample(list(first), SAMPLES[:64])
    assert first["label"].tolist() == list(range(64))
    assert many.keys == keys_of(SAMPLES)[1:3]


def test_a_stream_of_a_closed_reader_ends_with_an_error(path):
    reader = MsgpackReader(path, prefetch_bytes=1)
    batches = reader.batches(1)
    next(batches)
    reader.close()
    with pytest.raises(ClosedError, match=r"x\.msgpack"):
        for _ in batches:
            pass


def test_leaving_a_loop_gives_the_memory_back(reader):
    for _ in range(3):
        for batch in reader.batches(8):
            batch["label"]
            break
        del batch
    gc.collect()
    assert reader._fetcher.pool.used == 0


# -- several at once


def test_threads_share_a_reader(reader):
    errors = []

    def work(seed):
        try:
            for i in range(seed, 200, 3):
                assert_same_sample(reader.get(i), SAMPLES[i])
                assert reader.find_index(SAMPLES[i]["key"]) == i
            assert_same_sample(list(reader.slice(seed)), SAMPLES[seed:])
            assert_same_sample(list(reader.get_many([seed])), [SAMPLES[seed]])
            assert [len(batch) for batch in reader.batches(100)] == [100, 100]
        except BaseException:
            errors.append(traceback.format_exc())

    running = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert errors == []


def test_several_streams_of_one_reader_are_independent(reader):
    streams = [reader.batches(7, shuffle=True, seed=seed) for seed in range(4)]
    rounds = [[batch.indices.tolist() for batch in batches] for batches in zip(*streams, strict=True)]
    for seed in range(4):
        alone = [batch.indices.tolist() for batch in reader.batches(7, shuffle=True, seed=seed)]
        assert [batches[seed] for batches in rounds] == alone


# -- after a fork


def in_child(work):
    """Run `work` in a forked child. Returns what went wrong there, '' for nothing."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        failure = b""
        try:
            work()
        except BaseException:
            failure = traceback.format_exc().encode()
        os.write(into, failure[-4000:])
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as file:
        failure = file.read().decode()
    return failure if os.waitpid(child, 0)[1] == 0 else f"the child died {failure}"


FORKS = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@FORKS
@pytest.mark.parametrize("used", [False, True])
def test_parent_and_child_read_on_after_a_fork(reader, used):
    if used:
        assert_reads(reader)
    assert in_child(lambda: assert_reads(reader)) == ""
    assert_reads(reader)
    assert in_child(lambda: (reader.close(), assert_reads(reader), reader.close())) == ""
    assert_reads(reader)


@FORKS
def test_a_stream_goes_on_in_the_parent_and_is_refused_in_the_child(reader):
    batches = reader.batches(1, shuffle=True)
    first = next(batches)

    def go_on():
        with pytest.raises(ClosedError, match="fork"):
            list(batches)
        assert_same_sample(list(first), [SAMPLES[i] for i in first.indices])

    assert in_child(go_on) == ""
    assert sorted(batch.indices[0] for batch in [first, *batches]) == list(range(200))


@FORKS
def test_what_a_child_drops_stays_valid_in_the_parent(reader):
    batches = reader.batches(1)
    first = next(batches)
    held = {"batches": batches, "first": first}

    def drop():
        held.clear()
        gc.collect()

    del batches
    assert in_child(drop) == ""
    assert len(list(held["batches"])) == 199
    assert_same_sample(list(first), SAMPLES[:1])


# -- the dataset is replaced


def test_a_replaced_dataset_is_read_to_its_end(path, tmp_path):
    reader = MsgpackReader(path)
    batches = reader.batches(8)
    next(batches)
    replace(path, write(tmp_path / "other.msgpack", OTHERS))
    assert sum(len(batch) for batch in batches) == 192
    assert_reads(reader)
    assert OTHERS[0]["key"] not in reader
    with copy.copy(reader) as other:
        assert len(other) == 200
        assert_reads(other)


@pytest.mark.parametrize("writer", ["datadings", "ddfast"])
def test_a_reader_that_opens_again_reads_the_new_dataset(path, writer):
    reader = MsgpackReader(path)
    assert_reads(reader)
    reader.close()
    write(path, OTHERS, writer)
    assert_reads(reader, OTHERS)
    assert len(reader) == 300
    assert_reads(pickle.loads(pickle.dumps(reader)), OTHERS)


def test_overwriting_with_our_writer_leaves_open_readers_alone(path):
    reader = MsgpackReader(path)
    write(path, OTHERS, "ddfast")
    assert_reads(reader)


# Each of these would be killed by a signal if a page behind the new end of a mapped file were touched.
USES = {
    "get": "reader.get(150)",
    "get of the first sample": "reader.get(0)",
    "raw get": "reader.get(199, raw=True)",
    "iteration": "list(reader.iter(0))",
    "raw iteration": "list(reader.iter(0, raw=True))",
    "keys": "list(reader.iter(0, yield_key=True))",
    "batches": "list(reader.batches(16))",
    "raw batches": "list(reader.batches(16, raw=True))",
    "many": "reader.get_many([150, 3])",
    "find": "reader.find_index('sample 150 ß')",
    "find key": "reader.find_key(150)",
    "contains": "'sample 150 ß' in reader",
    "going on with batches": "list(batches)",
    "keys of a batch": "batch.keys",
}

SCRIPT = """
import os, sys
from ddfast.errors import DatasetChangedError, ReadError
from ddfast.reader import MsgpackReader
path, cut, use = sys.argv[1:]
reader = MsgpackReader(path, prefetch_bytes=1)
for _ in range(30):  # so that mappings are in use
    for i in range(len(reader)):
        reader.get(i)
    list(reader.iter(0))
batches = reader.batches(1)
batch = next(batches)
for name in cut.split(","):
    os.truncate(path + name, os.path.getsize(path + name) // 3 if name == "" else 0)
try:
    eval(use)
except DatasetChangedError as error:
    print("changed", path in str(error))
except ReadError as error:
    print("read error", path in str(error))
else:
    print("nothing")
"""


@pytest.mark.parametrize("cut", ["", ",.offsets,.keys,.key_hashes"], ids=["data", "all files"])
def test_a_dataset_that_is_cut_in_place_is_an_error(tmp_path, cut, run_python):
    samples = [{"key": f"sample {i} ß", "x": bytes(9000)} for i in range(200)]
    for number, (name, use) in enumerate(USES.items()):
        path = write(tmp_path / f"{number}.msgpack", samples, "ddfast")
        done = run_python("-c", SCRIPT, str(path), cut, use)
        assert (done.returncode, done.stdout) == (0, "changed True\n"), (name, done.stderr)


def test_a_dataset_that_grows_in_place_is_an_error(path, reader):
    reader.get(0)
    with path.open("ab") as file:
        file.write(b"more")
    for use in (lambda: reader.get(1), lambda: list(reader), lambda: list(reader.batches(8))):
        with pytest.raises(DatasetChangedError, match="rewritten in place"):
            use()


def test_a_sample_changed_in_place_is_damaged_or_another(path, reader):
    overwrite(path, 0, b"\xc1")
    with pytest.raises(DdfastError):
        reader.get(0)
    assert_same_sample(reader.get(1), SAMPLES[1])


def test_an_unreadable_file_is_an_error_of_the_system(path):
    beside(path, ".offsets").unlink()
    beside(path, ".offsets").mkdir()
    with pytest.raises((OSError, ReadError)):
        MsgpackReader(path)


def test_batches_that_outlive_the_program_end_without_a_word(path, run_python):
    program = (
        "import sys; from ddfast.reader import MsgpackReader\n"
        f"sys.kept = batches = MsgpackReader({str(path)!r}).batches(4)\n"
        "next(batches)"
    )
    ended = run_python("-c", program)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
