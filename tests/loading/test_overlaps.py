"""Offsets that go to and fro: samples that overlap are damaged, and no batch takes more memory than the files."""

from __future__ import annotations

from itertools import pairwise

import msgpack
import numpy as np
import pytest
from datasets import beside, some_samples, write, write_offsets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rangeserver import serving

from ddfast.errors import CorruptSpanError, DdfastError
from ddfast.format.index import write_keys
from ddfast.reader import MsgpackReader, ShardedReader

N = 400
SAMPLE = msgpack.packb({"key": "k", "v": bytes(100_000)})


def write_raw(path, data, offsets):
    """A dataset with any offsets."""
    path.write_bytes(data)
    write_offsets(path, offsets)
    write_keys([str(i) for i in range(len(offsets) - 1)], path)
    return path


@pytest.fixture
def path(tmp_path):
    """Each second sample is the whole file, the others end before they start."""
    return write_raw(tmp_path / "x.msgpack", SAMPLE, [len(SAMPLE) * (i % 2) for i in range(N)])


@pytest.fixture(params=["file", "shards", "url"])
def readers(request, path):
    """Readers of that dataset."""
    if request.param == "url":
        pytest.importorskip("obstore")
        with serving({f"/x{s}": beside(path, s).read_bytes() for s in ("", ".offsets", ".keys")}) as site:
            yield lambda **options: MsgpackReader(f"{site.url}/x", **options)
    elif request.param == "shards":
        yield lambda **options: ShardedReader([path, path], **options)
    else:
        yield lambda **options: MsgpackReader(path, **options)


def most_held(reader, **options):
    """The most bytes of samples in one batch, and the most memory of the reader."""
    held, most, iterator = 0, 0, reader.batches(256, **options)
    while (batch := next(iterator, None)) is not None:
        held = max(held, sum(map(len, batch)))
        most = max(most, iterator._stream.fetcher.pool.used)
    return held, most


def test_a_batch_holds_at_most_the_files(readers):
    with readers(on_error="skip", prefetch_bytes=1 << 20) as reader:
        files = len(SAMPLE) * (len(reader) // (N - 1))
        for options in ({}, {"shuffle": True}, {"indices": np.arange(0, N - 1, 2)}):
            held, most = most_held(reader, raw=True, **options)
            assert 0 < held <= files
            assert most < 12 * len(SAMPLE)


def test_each_sample_alone_can_be_read(readers):
    with readers() as reader:
        assert reader.get(0)["key"] == reader.get(2)["key"] == "k"
        with pytest.raises(CorruptSpanError, match="ends before it starts"):
            reader.get(1)


def test_samples_that_overlap_are_named(readers):
    with (
        readers() as reader,
        pytest.raises(CorruptSpanError, match=r"sample 2.*begins within another sample"),
    ):
        next(reader.batches(4, indices=[0, 2, 4]))
    with readers(on_error="skip") as reader:
        batch = next(reader.batches(4, indices=[0, 2, 4]))
        assert batch.indices.tolist() == [0]
        assert reader.stats().skipped == 2


def test_samples_may_be_wanted_twice(path):
    with MsgpackReader(path) as reader:
        batch = next(reader.batches(5, indices=[2, 2, 2]))
        assert batch["v"][1] == batch["v"][2] == bytes(100_000)
    with MsgpackReader(path, on_error="skip") as reader:
        batch = next(reader.batches(5, indices=[2, 1, 2, 4, 2]))
        assert batch.indices.tolist() == [2, 2, 2]


def test_other_batches_of_a_group_are_delivered(tmp_path):
    data = [msgpack.packb({"key": str(i), "n": i}) for i in range(40)]
    offsets = np.cumsum([0, *map(len, data)]).tolist()
    offsets[21:23] = offsets[0], offsets[1]  # sample 21 is sample 0
    path = write_raw(tmp_path / "y.msgpack", b"".join(data), offsets)
    with MsgpackReader(path, on_error="skip") as reader:
        batches = list(reader.batches(4))
        assert [n for batch in batches for n in batch["n"]] == [*range(20), 0, *range(23, 40)]
    with MsgpackReader(path, on_error="skip") as reader:
        assert next(reader.batches(40)).indices.tolist() == [*range(20), *range(23, 40)]


def test_large_samples_are_recovered_one_at_a_time(tmp_path):
    samples = [{"key": str(i), "v": bytes([i]) * 300_000} for i in range(40)]
    path = write(tmp_path / "z.msgpack", samples)
    with path.open("r+b") as file:
        file.write(b"\xc1")
    with MsgpackReader(path, on_error="skip", prefetch_bytes=1 << 20) as reader:
        batches = reader.batches(40)
        fetcher, most = batches._stream.fetcher, []
        fetch = fetcher.fetch

        def watched(*args):
            most.append((args[3], fetcher.pool.used))
            return fetch(*args)

        fetcher.fetch = watched
        batch = next(batches)
        assert batch.indices.tolist() == list(range(1, 40))
        assert [bytes(v[:1])[0] for v in batch["v"]] == list(range(1, 40))
        alone = [used for limit, used in most if limit == 0]
        assert len(alone) == 40
        assert max(alone) - alone[0] <= 1 << 20  # it may shrink at any time: when the first arena is released


SAMPLES = some_samples(8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_offsets_give_disjoint_samples_or_errors(tmp_path, data):
    whole = write(tmp_path / "w.msgpack", SAMPLES)
    ends = np.fromfile(beside(whole, ".offsets"), ">u8").tolist()
    inner = data.draw(st.lists(st.sampled_from(ends), min_size=1, max_size=60))
    path = write_raw(tmp_path / "v.msgpack", whole.read_bytes(), [0, *inner, ends[-1]])
    size = data.draw(st.sampled_from([1, 3, 64]))
    with MsgpackReader(
        path, on_error="skip", prefetch_bytes=data.draw(st.sampled_from([1, 1 << 20]))
    ) as reader:
        spans = list(pairwise([0, *inner, ends[-1]]))
        found = []
        for batch in reader.batches(size, raw=True):
            held = [spans[i] for i in batch.indices.tolist()]
            assert [whole.read_bytes()[a:b] for a, b in held] == list(map(bytes, batch))
            filled = sorted(span for span in held if span[0] < span[1])
            assert all(one[1] <= other[0] for one, other in pairwise(filled))
            found += batch.indices.tolist()
        for index, (start, stop) in enumerate(spans):
            assert index not in found or start <= stop
    with MsgpackReader(path) as reader:
        for batch in range(len(spans) // size):
            try:
                got = next(reader.batches(size, start=batch * size))
            except DdfastError:
                continue
            assert got.indices.tolist() == list(range(batch * size, batch * size + size))
