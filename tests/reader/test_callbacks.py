"""Functions of users that raise what ends iterators, or start a pass of their own."""

import copy

import pytest
from datasets import damage, write

from ddfast.errors import CallbackError
from ddfast.policy import Quarantine
from ddfast.reader import (
    Cycler,
    ListReader,
    MsgpackReader,
    QuasiShuffler,
    Range,
    Repeater,
    ShardedReader,
    Shuffler,
)

N = 30
SAMPLES = [{"key": f"{i:02}", "i": i} for i in range(N)]
ENDS = [StopIteration, StopAsyncIteration]


@pytest.fixture
def path(tmp_path):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    damage(path, 7)
    return path


def next_for_ever(reader):
    while next(reader, None) is not None:
        pass


PASSES = {
    "batches": lambda reader: list(reader.batches(4)),
    "shuffled batches": lambda reader: list(reader.batches(4, shuffle=True)),
    "batches of indices": lambda reader: list(reader.batches(4, indices=[7, 8])),
    "iteration": list,
    "raw iteration of keys": lambda reader: list(reader.iter(0, yield_key=True)),
    "slice": lambda reader: list(reader.slice(0, N)),
    "next": next_for_ever,
    "Shuffler": lambda reader: list(Shuffler(reader)),
    "Shuffler in batches": lambda reader: list(Shuffler(reader).batches(4)),
    "QuasiShuffler": lambda reader: list(QuasiShuffler(reader)),
    "QuasiShuffler in batches": lambda reader: list(QuasiShuffler(reader).batches(4)),
    "Range": lambda reader: list(Range(reader, 5, 9)),
    "Repeater": lambda reader: list(Repeater(reader, 2)),
    "Cycler": lambda reader: list(zip(range(2 * N), Cycler(reader), strict=False)),
}
READERS = {
    "msgpack": MsgpackReader,
    "sharded": lambda path, on_error: ShardedReader([path], on_error=on_error),
    "readers": lambda path, on_error: ShardedReader(
        [MsgpackReader(path), ListReader([{"key": "one more"}])], on_error=on_error
    ),
}


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("whole", list(PASSES))
@pytest.mark.parametrize("name", list(READERS))
def test_an_on_error_that_raises_the_end_of_an_iterator_does_not_end_the_pass(path, name, whole, ends):
    def on_error(bad):
        raise ends("no more")

    with (
        READERS[name](path, on_error=on_error) as reader,
        pytest.raises(
            CallbackError, match=rf"on_error raised {ends.__name__} for sample 7.* as if it were complete"
        ) as caught,
    ):
        PASSES[whole](reader)
    assert isinstance(caught.value.__cause__, ends)


NESTED = {
    "the reader": lambda reader, path, on_error: list(reader.batches(4)),
    "a copy": lambda reader, path, on_error: list(copy.copy(reader).iter(0)),
    "another reader": lambda reader, path, on_error: list(MsgpackReader(path, on_error=on_error)),
    "a slice": lambda reader, path, on_error: list(reader.slice(0)),
}


@pytest.mark.parametrize("nested", list(NESTED))
@pytest.mark.parametrize("whole", list(PASSES))
def test_an_on_error_that_reads_the_same_data_is_refused(path, whole, nested):
    calls = []

    def on_error(bad):
        calls.append(bad.index)
        NESTED[nested](reader, path, on_error)

    with (
        MsgpackReader(path, on_error=on_error) as reader,
        pytest.raises(
            CallbackError, match=r"on_error was called for sample 7 of .*x\.msgpack while it was running"
        ),
    ):
        PASSES[whole](reader)
    assert calls == [7]


def test_an_on_error_may_read_with_another_policy_and_other_data(path, tmp_path):
    other = write(tmp_path / "other.msgpack", SAMPLES)
    damage(other, 3)
    found = []

    def on_error(bad):
        with MsgpackReader(path, on_error="skip") as same:
            assert len(list(same)) == N - 1
        if bad.path == str(path):
            with MsgpackReader(other, on_error=on_error) as reader:
                assert len(list(reader)) == N - 1
        found.append((bad.path, bad.index))

    for _ in range(2):
        with MsgpackReader(path, on_error=on_error) as reader:
            assert sum(map(len, reader.batches(4))) == N - 1
    assert found == [(str(other), 3), (str(path), 7)] * 2


def test_an_on_error_that_raised_is_called_again(path):
    answers = [StopIteration(), None, KeyError("mine"), None]

    def on_error(bad):
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    with MsgpackReader(path, on_error=on_error) as reader:
        for error in (CallbackError, None, KeyError, None):
            if error is None:
                assert sum(map(len, reader.batches(4))) == N - 1
            else:
                with pytest.raises(error):
                    list(reader.batches(4))


def test_a_quarantine_may_be_that_of_several_readers(path, tmp_path):
    on_error = Quarantine(tmp_path / "bad.jsonl")
    readers = [MsgpackReader(path, on_error=on_error) for _ in range(2)]
    assert [len(list(zip(*map(iter, readers), strict=True)))] == [N - 1]
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("whole", list(PASSES))
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_convertfun_that_raises_stop_iteration_does_not_end_the_pass(whole, on_error):
    def convertfun(sample):
        if sample["i"] == 7:
            next(iter(()))

    reader = ListReader([dict(sample) for sample in SAMPLES], convertfun=convertfun, on_error=on_error)
    with pytest.raises(CallbackError, match="such as convertfun, raised StopIteration"):
        PASSES[whole](reader)
