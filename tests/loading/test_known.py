"""Batches without samples have the columns that were asked for; names that no sample has are noticed."""

import pickle
import warnings

import numpy as np
import pyarrow as pa
import pytest
from datasets import damage, write

from ddfast import AsyncReader
from ddfast.reader import Cycler, ListReader, MsgpackReader, QuasiShuffler, Range, ShardedReader, Shuffler

KINDS = {
    "key": "str",
    "image": "bytes",
    "label": "int64",
    "score": "float64",
    "good": "bool",
    "vec": "float32[2, 3]",
    "none": "uint8[0, 4]",
    "crop": "arrays",
    "tags": "object",
}


def sample(i):
    return {
        "key": str(i),
        "image": bytes(i),
        "label": i,
        "score": i / 2,
        "good": i % 2 == 0,
        "vec": np.full((2, 3), i, np.float32),
        "none": np.zeros((0, 4), np.uint8),
        "crop": np.zeros((i, 2)),
        "tags": ["a"] * i,
    }


SAMPLES = [sample(i) for i in range(12)]


@pytest.fixture
def path(tmp_path):
    """A dataset of 12 samples, of which 4 to 7 are damaged."""
    path = write(tmp_path / "x.msgpack", SAMPLES, "ddfast")
    for index in range(4, 8):
        damage(path, index)
    return path


def text_of(kinds, count=0):
    return f"Batch({count} samples: {', '.join(f'{name} {kind}' for name, kind in kinds.items())})"


def readers(path):
    options = {"on_error": "skip"}
    yield MsgpackReader(path, **options)
    yield ShardedReader([path], **options)
    yield Cycler(MsgpackReader(path, **options))
    yield QuasiShuffler(MsgpackReader(path, **options), buf_size=1, chunk_size=1, seed=3)
    yield Range(MsgpackReader(path, **options), 0, 12)


def test_a_batch_that_is_damaged_whole_has_the_columns_of_the_others(path):
    for reader in readers(path):
        batches = reader.batches(4) if not isinstance(reader, QuasiShuffler) else reader.batches(1)
        found = [batch for _, batch in zip(range(12), batches, strict=False) if not len(batch)]
        assert found, reader
        reprs = {repr(batch) for batch in found}
        if isinstance(reader, QuasiShuffler):
            assert all(list(batch.columns) in ([], list(KINDS)) for batch in found)
        else:
            assert reprs == {text_of(KINDS)}


def test_an_empty_batch_has_the_forms_of_the_others(path):
    with MsgpackReader(path, on_error="skip") as reader:
        first, empty, last = reader.batches(4)
    assert empty.columns == first.columns == tuple(KINDS)
    for name, column in empty.to_dict().items():
        other = last[name]
        assert type(column) is type(other)
        assert len(column) == len(column[1:]) == 0
        assert list(column) == []
        if isinstance(column, np.ndarray):
            assert (column.dtype, column.shape[1:]) == (other.dtype, other.shape[1:])
    assert [*empty.keys, *empty.indices, *empty] == []
    for batch in (pickle.loads(pickle.dumps(empty)), empty.copy(), empty[:], first[2:2].copy()):
        assert repr(batch) == text_of(KINDS)
        assert batch["vec"].shape == (0, 2, 3)
    table = pa.Table.from_batches([batch.to_arrow().select(KEPT) for batch in (first, empty, last)])
    assert table.num_rows == 8


KEPT = ["key", "image", "label", "score", "good", "vec", "none"]


@pytest.mark.parametrize("views", [False, True])
def test_an_empty_batch_has_the_arrow_types_of_the_others(path, views):
    with MsgpackReader(path, on_error="skip") as reader:
        first, empty, _ = reader.batches(4)
    ours, others = empty.to_arrow(views=views), first.to_arrow(views=views)
    assert ours.num_rows == 0
    for name in KEPT:
        assert ours.schema.field(name) == others.schema.field(name)


def test_columns_that_were_asked_for_are_there_without_any_sample(path, arun):
    kinds = {"label": "object", "vec": "object"}
    with MsgpackReader(path, on_error="skip") as reader:
        (batch,) = reader.batches(4, indices=[4, 5, 6, 7], columns=list(kinds))
        assert repr(batch) == text_of(kinds)
        assert batch["label"].tolist() == []
        assert repr(reader.get_many([], columns=list(kinds))) == text_of(kinds)
        assert reader.get_many([]).columns == ()
        assert repr(reader.get_many([], raw=True)) == "Batch(0 raw samples, 0 bytes)"
        reader.get_many([1, 2])
        assert repr(reader.get_many([])) == text_of(KINDS)
        assert reader.get_many([], columns=["vec"])["vec"].shape == (0, 2, 3)

    async def use():
        async with AsyncReader(path, on_error="skip", columns=list(kinds)) as reader:
            yield repr(await reader.get_many([]))
            async for batch in reader.batches(4, indices=[4, 5, 6, 7, 1]):
                yield repr(batch)
            yield repr(await reader.get_many([]))

    async def collect():
        return [text async for text in use()]

    full = {"label": "int64", "vec": "float32[2, 3]"}
    assert arun(collect()) == [text_of(kinds), text_of(kinds), text_of(full, 1), text_of(full)]


def test_other_readers_have_the_columns_too():
    reader = ListReader([{"key": "a", "x": 1}])
    assert repr(reader.get_many([], columns=["x"])) == text_of({"x": "object"})
    assert reader.get_many([]).columns == ()


def test_listed_samples_leave_the_columns(path, tmp_path):
    from ddfast.policy import Quarantine

    with MsgpackReader(path, on_error=Quarantine(tmp_path / "list")) as reader:
        list(reader.batches(4))
    with MsgpackReader(path, on_error=Quarantine(tmp_path / "list")) as reader:
        assert [repr(batch) for batch in reader.batches(4)][1] == text_of(KINDS)
        assert reader.stats().listed == 4


# -- names that no sample has


MISSING = r"no sample of the first batch has a field 'labl'; did you mean 'label'\? Its first sample has the fields key"


@pytest.mark.parametrize("kind", ["file", "shuffler", "list"])
def test_a_name_that_no_sample_of_the_first_batch_has_is_warned_of_once(tmp_path, kind):
    whole = MsgpackReader(write(tmp_path / "whole.msgpack", SAMPLES, "ddfast"))
    reader = {"file": whole, "shuffler": Shuffler(whole), "list": ListReader(SAMPLES)}[kind]
    with pytest.warns(UserWarning, match=MISSING) as caught:
        next(iter(reader.batches(4, columns=["labl", "key"])))
    assert [warning.filename for warning in caught] == [__file__]
    if kind == "file":
        next(reader.batches(4, columns=["key", "labl"]))  # not again


def test_the_asynchronous_reader_warns_too(path, arun):
    async def use():
        async with AsyncReader(path) as reader:
            return await reader.batches(4, columns=["labl"]).__anext__()

    with pytest.warns(UserWarning, match=MISSING):
        assert arun(use()).columns == ()


def test_fields_that_some_samples_lack_are_no_mistake(tmp_path):
    samples = [{"key": str(i)} | ({"extra": i} if i == 9 else {}) for i in range(20)]
    path = write(tmp_path / "y.msgpack", samples, "ddfast")
    with MsgpackReader(path) as reader:
        with pytest.warns(UserWarning, match="no sample of the first batch has a field 'extra'"):
            batches = list(reader.batches(5, columns=["extra"]))
        assert [batch.columns for batch in batches] == [(), ("extra",), (), ()]
        assert batches[1]["extra"].tolist() == [None] * 4 + [9]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(list(reader.batches(5, columns=["extra"]))) == 4
            reader.get_many([0], columns=["no such field"])
