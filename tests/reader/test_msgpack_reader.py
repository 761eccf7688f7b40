"""MsgpackReader compared with that of datadings: values of all types, files of both writers, and additions."""

import itertools

import datadings.reader
import numpy as np
import pytest
from compare import assert_same
from datasets import WRITERS, keys_of, some_samples, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import samples as any_sample

from ddfast import AsyncReader
from ddfast.errors import DatasetNotFoundError, PickleRefusedError, SampleIndexError, SampleKeyError
from ddfast.reader import ListReader, MsgpackReader, ShardedReader
from ddfast.testing import assert_same_sample

SAMPLES = some_samples(50)


def is_plain(sample):
    """Not one that has the markers of arrays by accident, which neither side can read back."""
    return not any(marker in repr(sample) for marker in ("b'nd'", "b'complex'"))


unique_samples = st.lists(any_sample.filter(is_plain), max_size=4, unique_by=lambda sample: sample["key"])
quick = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


@pytest.fixture
def reader(path):
    with MsgpackReader(path) as reader:
        yield reader


def read_all(reader_type, path):
    with reader_type(path) as reader:
        if len(reader) == 0:
            return []  # datadings cannot iterate over nothing
        return list(reader.iter(yield_key=True))


@pytest.mark.parametrize("writer", sorted(WRITERS))
@quick
@given(samples=unique_samples)
def test_samples_are_those_that_datadings_reads(tmp_path, writer, samples):
    path = write(tmp_path / "x.msgpack", samples, writer)
    theirs = read_all(datadings.reader.MsgpackReader, path)
    assert_same(read_all(MsgpackReader, path), theirs)
    assert [key for key, _ in theirs] == keys_of(samples)


@quick
@given(samples=unique_samples.filter(bool), batch_size=st.integers(1, 7), columns=st.sampled_from([None, ()]))
def test_batches_and_get_many_give_what_get_gives(tmp_path, samples, batch_size, columns):
    with MsgpackReader(
        write(tmp_path / "x.msgpack", samples), prefetch_bytes=1 << 20, queue_depth=2
    ) as reader:
        expected = [reader.get(i) for i in range(len(reader))]
        batches = list(reader.batches(batch_size, columns=columns))
        many = reader.get_many(range(len(reader)), columns=columns)
        assert_same([sample for batch in batches for sample in batch], expected)
        assert_same(list(many), expected)


# -- what get, keys and lookups say


def test_raw_samples_are_the_bytes_of_the_file(path, reader):
    assert b"".join(reader.get(i, raw=True) for i in range(len(reader))) == path.read_bytes()
    assert b"".join(reader.rawiter()) == path.read_bytes()
    assert b"".join(reader.slice(0, raw=True, copy=False)) == path.read_bytes()


def test_errors_name_file_index_and_key(path, reader):
    with pytest.raises(SampleIndexError, match=rf"50.*{path.name}.*50"):
        reader.get(50)
    with pytest.raises(SampleIndexError, match=rf"-51.*{path.name}.*50"):
        reader.get(-51)
    with pytest.raises(SampleKeyError, match=rf"{path.name}.*'nobody'"):
        reader.find_index("nobody")


@pytest.mark.parametrize("key", [None, 1, b"sample 1", ("a",), 1.5])
def test_lookups_refuse_keys_that_are_no_strings(reader, key):
    with pytest.raises(TypeError):
        reader.find_index(key)
    assert key not in reader


def test_keys_are_a_sequence(reader):
    keys = reader.keys()
    assert list(keys) == keys_of(SAMPLES)
    assert len(keys) == len(SAMPLES)
    assert keys[-1] == SAMPLES[-1]["key"]
    assert keys[3:5] == keys_of(SAMPLES)[3:5]


def test_pickled_arrays_are_refused_unless_allowed(tmp_path):
    path = write(tmp_path / "x.msgpack", [{"key": "a", "x": 1}, {"key": "b", "x": np.array(["a", None])}])
    with MsgpackReader(path) as reader:
        assert reader.get(0)["x"] == 1
        for read in (lambda: reader.get(1), lambda: list(reader), lambda: list(reader.get_many([1]))):
            with pytest.raises(PickleRefusedError, match="allow_pickle"):
                read()
    with MsgpackReader(path, allow_pickle=True) as reader:
        assert reader.get(1)["x"].tolist() == ["a", None]
        assert list(reader)[1]["x"].tolist() == ["a", None]
        assert reader.get_many([1])[0]["x"].tolist() == ["a", None]


def test_an_empty_dataset_has_no_samples(tmp_path):
    with MsgpackReader(write(tmp_path / "x.msgpack", [])) as reader:
        assert len(reader) == 0
        assert list(reader) == list(reader[:]) == list(reader.batches(4)) == list(reader.keys()) == []
        assert len(reader.get_many([])) == 0
        assert "a" not in reader
        with pytest.raises(StopIteration):
            reader.next()
        for call in (lambda: reader.get(0), lambda: reader.get(-1), lambda: reader.seek(0)):
            with pytest.raises(IndexError):
                call()


@pytest.mark.parametrize("size", [0, 1, 100, 40_000, 3_000_000])
def test_samples_of_any_size_are_read_by_any_way(tmp_path, size):
    samples = [{"key": f"{i}", "x": bytes([i]) * (size + i), "y": i} for i in range(6)]
    with MsgpackReader(write(tmp_path / "x.msgpack", samples, "ddfast")) as reader:
        for _ in range(3):  # the way to the bytes changes with use
            assert [reader.get(i) for i in range(6)] == samples
            assert list(reader) == samples
            assert list(reader.get_many(range(6))) == samples
            assert [sample for batch in reader.batches(4) for sample in batch] == samples


# -- many at once


@pytest.mark.parametrize(
    "indices",
    [[3], [5, 1, 5, 5, 0], [-1, 0, -50], range(50), np.arange(49, -1, -7), np.array([7], np.uint8), []],
)
def test_get_many_takes_indices_in_any_order(reader, indices):
    batch = reader.get_many(indices)
    assert_same_sample(list(batch), [SAMPLES[i] for i in indices])
    assert batch.indices.tolist() == [i % 50 for i in indices]
    assert batch.keys == [SAMPLES[i]["key"] for i in indices]


@pytest.mark.parametrize("indices", [[50], [0, -51], [1 << 40]])
def test_get_many_refuses_indices_out_of_range(reader, indices):
    with pytest.raises(SampleIndexError):
        reader.get_many(indices)


@pytest.mark.parametrize("indices", [[1.0], ["a"], [[1]], 1, [None], [True, False]])
def test_get_many_refuses_what_are_no_indices(reader, indices):
    with pytest.raises(TypeError):
        reader.get_many(indices)


@pytest.mark.parametrize("indices", [[0, 1 << 63], [1 << 64], [-(1 << 63) - 1]])
def test_get_many_refuses_indices_beyond_64_bits(reader, indices):
    with pytest.raises((SampleIndexError, TypeError)):
        reader.get_many(indices)


def test_raw_batches_give_packed_samples(reader):
    batch = reader.get_many([4, 2], raw=True)
    assert [bytes(sample) for sample in batch] == [reader.get(4, raw=True), reader.get(2, raw=True)]
    batches = reader.batches(8, raw=True)
    assert b"".join(bytes(sample) for batch in batches for sample in batch) == b"".join(reader.rawiter())


def test_columns_are_those_asked_for(path, reader):
    assert reader.get_many([1, 2], columns=["label"]).columns == ("label",)
    assert [batch.columns for batch in reader.batches(40, columns=["label", "key"])] == [("label", "key")] * 2
    with MsgpackReader(path, columns=["label"]) as chosen:
        assert chosen.get_many([1]).columns == ("label",)
        assert chosen.get_many([1], columns=["key"]).columns == ("key",)
    for columns in ("label", [1], b"x"):
        with pytest.raises(TypeError):
            reader.batches(3, columns=columns)


def test_batches_have_a_length_and_take_the_arguments_of_the_order(reader):
    batches = reader.batches(8, start=3, drop_last=True)
    assert len(batches) == 5
    assert [batch.indices.tolist() for batch in batches] == [
        list(range(3 + 8 * i, 11 + 8 * i)) for i in range(5)
    ]
    one = [batch.indices.tolist() for batch in reader.batches(8, shuffle=True, seed=3, epoch=1)]
    two = [batch.indices.tolist() for batch in reader.batches(8, shuffle=True, seed=3, epoch=1, start=16)]
    assert one[2:] == two
    assert sorted(itertools.chain(*one)) == list(range(50))


@pytest.mark.parametrize(
    "arguments",
    [{"batch_size": 0}, {"start": 51}, {"start": -1}, {"rank": 1}, {"world_size": 0}, {"shuffle": "no"}],
)
def test_batches_refuse_arguments_out_of_range(reader, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        reader.batches(**{"batch_size": 4, **arguments})


@pytest.mark.parametrize("make", [MsgpackReader, AsyncReader])
@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"prefetch_bytes": 0}, ValueError),
        ({"prefetch_bytes": "1GB"}, TypeError),
        ({"queue_depth": 0}, ValueError),
        ({"timeout": 0}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"timeout": None}, TypeError),
        ({"io": "magic"}, ValueError),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(path, make, option, error):
    ((name, value),) = option.items()
    with pytest.raises(error, match=f"{name} is {value!r}, (not|and must be)"):
        make(path, **option)


def test_a_pattern_names_the_readers_that_take_it(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"\*\.msgpack not found. ShardedReader and AsyncReader"):
        MsgpackReader(tmp_path / "*.msgpack")


def test_batches_tell_how_many_they_are(reader):
    assert repr(reader.batches(20)) == "<PrefetchedBatches: 3 batches>"


def test_closed_batches_end(reader):
    batches = reader.batches(4)
    next(batches)
    batches.close()
    assert list(batches) == []


def test_a_position_beyond_the_end_starts_again(reader):
    list(reader.iter(0))
    list(reader.iter(0))
    assert len(list(reader)) == 50


@pytest.mark.parametrize(
    ("key", "error", "hint"),
    [
        (b"3", TypeError, r"the key b'3'\. Keys are strings, not bytes: use key\.decode\(\)"),
        (3, TypeError, r"the key 3\. Keys are strings, not int: use str\(key\)"),
        ("\ud800", SampleKeyError, r"msgpack\]? has no sample with key '\\ud800'"),
    ],
    ids=["bytes", "int", "surrogate"],
)
def test_a_key_that_no_sample_can_have_comes_with_advice(path, tmp_path, arun, key, error, hint):
    for reader in (MsgpackReader(path), ShardedReader([path]), ShardedReader(str(tmp_path / "x*.msgpack"))):
        assert key not in reader
        with pytest.raises(error, match=hint):
            reader.find_index(key)
    with pytest.raises(error, match=hint):
        arun(find_async(path, key))


def test_readers_of_keys_of_any_type_give_advice_about_bytes(path):
    listed = ListReader([{"key": "3"}])
    for reader in (listed, ShardedReader([listed, MsgpackReader(path)])):
        with pytest.raises(
            KeyError, match=r"with key b'3'\. Keys are strings, not bytes: use key\.decode\(\)"
        ):
            reader.find_index(b"3")


async def find_async(path, key):
    async with AsyncReader(path) as reader:
        return await reader.find_index(key)


def test_asynchronous_readers_find_keys_of_a_subclass_of_str(path, arun):
    with MsgpackReader(path) as reader:
        keys = np.array(list(reader.keys()))
    assert [arun(find_async(path, key)) for key in keys[:3]] == [0, 1, 2]
