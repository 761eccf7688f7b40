"""AsyncReader delivers the same samples as MsgpackReader, in an order that depends only on seed and epoch."""

import asyncio
import itertools

import numpy as np
import pytest
from compare import assert_same
from datasets import beside, keys_of, some_samples, write, write_legacy

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import (
    ClosedError,
    DatasetNotFoundError,
    PickleRefusedError,
    SampleIndexError,
    SampleKeyError,
)

SAMPLES = some_samples(300)
SHUFFLES = [False, True, "block"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "x.msgpack", SAMPLES)


@pytest.fixture(scope="module")
def expected(path):
    with MsgpackReader(path) as reader:
        return list(reader)


def opened(path, use, **options):
    async def main():
        async with AsyncReader(path, **options) as reader:
            return await use(reader)

    return main()


def flat(batches):
    return list(itertools.chain(*batches))


async def order_of(stream, delay=0.0):
    order = []
    async for batch in stream:
        order.append(batch.indices.tolist())
        if delay:
            await asyncio.sleep(delay)
    return order


def order(arun, path, *, reader=None, delay=0.0, **arguments):
    return arun(opened(path, lambda opened: order_of(opened.batches(**arguments), delay), **(reader or {})))


# -- samples


@pytest.mark.parametrize("batch_size", [1, 7, 100, 300, 1000])
def test_batches_give_all_samples(arun, path, expected, batch_size):
    async def use(reader):
        return [sample async for batch in reader.batches(batch_size) for sample in batch]

    assert_same(arun(opened(path, use)), expected)


@pytest.mark.parametrize("batch_size", [1, 64])
@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_batches_are_those_of_the_blocking_reader(arun, path, batch_size, shuffle):
    arguments = {"batch_size": batch_size, "shuffle": shuffle, "seed": 5, "epoch": 2}
    with MsgpackReader(path) as reader:
        theirs = [batch.indices.tolist() for batch in reader.batches(**arguments)]
    assert order(arun, path, **arguments) == theirs


def test_columns_keys_and_raw_samples_of_batches(arun, path, expected):
    async def use(reader):
        batch = await anext(reader.batches(50, columns=["label"]))
        raw = await anext(reader.batches(3, raw=True))
        return batch, [bytes(sample) for sample in raw]

    batch, raw = arun(opened(path, use))
    assert batch.columns == ("label",)
    assert batch["label"].tolist() == list(range(50))
    assert batch.keys == keys_of(SAMPLES)[:50]
    with MsgpackReader(path) as reader:
        assert raw == [reader.get(i, raw=True) for i in range(3)]


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_samples_come_in_the_order_of_batches(arun, path, expected, shuffle):
    async def use(reader):
        return [sample async for sample in reader.samples(shuffle=shuffle, seed=1, epoch=3, start=5)]

    indices = flat(order(arun, path, batch_size=1, shuffle=shuffle, seed=1, epoch=3, start=5))
    assert_same(arun(opened(path, use)), [expected[i] for i in indices])


def test_raw_samples_are_the_bytes_of_the_file(arun, path):
    async def use(reader):
        return b"".join([bytes(sample) async for sample in reader.samples(raw=True)])

    assert arun(opened(path, use)) == path.read_bytes()


def test_ranks_share_the_samples_one_by_one(arun, path):
    async def labels(reader, rank):
        return [sample["label"] async for sample in reader.samples(rank=rank, world_size=3, start=10)]

    async def use(reader):
        return [await labels(reader, rank) for rank in range(3)]

    assert arun(opened(path, use)) == [list(range(10 + rank, 300, 3)) for rank in range(3)]


# -- order


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize(
    "options", [{"queue_depth": 1}, {"queue_depth": 64}, {"prefetch_bytes": 1}, {"prefetch_bytes": 1 << 30}]
)
def test_the_order_does_not_depend_on_how_it_is_read(arun, path, shuffle, options):
    arguments = {"batch_size": 16, "shuffle": shuffle, "seed": 7, "epoch": 1}
    assert order(arun, path, reader=options, **arguments) == order(arun, path, **arguments)


def test_the_order_does_not_depend_on_timing(arun, path):
    arguments = {"batch_size": 16, "shuffle": True, "seed": 7}
    assert order(arun, path, delay=0.002, **arguments) == order(arun, path, **arguments)


@pytest.mark.parametrize("shuffle", [True, "block"])
def test_seed_and_epoch_choose_the_order(arun, path, shuffle):
    orders = [
        flat(order(arun, path, batch_size=32, shuffle=shuffle, seed=seed, epoch=epoch))
        for seed, epoch in [(0, 0), (1, 0), (0, 1), (-1, 0), (1 << 70, 5)]
    ]
    assert all(sorted(indices) == list(range(300)) for indices in orders)
    assert len({tuple(indices) for indices in [*orders, range(300)]}) == 6


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
@pytest.mark.parametrize("start", [0, 37])
def test_all_ranks_walk_one_order(arun, path, shuffle, world_size, start):
    whole = flat(order(arun, path, batch_size=1, shuffle=shuffle, seed=3))
    ranks = [
        order(
            arun, path, batch_size=8, shuffle=shuffle, seed=3, start=start, rank=rank, world_size=world_size
        )
        for rank in range(world_size)
    ]
    steps = range(max(len(batches) for batches in ranks))
    walked = [
        index
        for step in steps
        for batches in ranks
        for index in (batches[step] if step < len(batches) else [])
    ]
    assert walked == whole[start:]


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("start", [0, 1, 24, 299, 300])
def test_start_resumes_anywhere(arun, path, shuffle, start):
    whole = flat(order(arun, path, batch_size=1, shuffle=shuffle, seed=3, epoch=9))
    rest = order(arun, path, batch_size=24, shuffle=shuffle, seed=3, epoch=9, start=start)
    assert flat(rest) == whole[start:]
    assert [len(batch) for batch in rest[:-1]] == [24] * (len(rest) - 1)


def test_batches_and_samples_follow_a_list_of_indices(arun, path, expected):
    asked = [*range(250, 0, -3), 5, 5, -1]
    found = flat(order(arun, path, batch_size=7, indices=asked))
    assert found == [*asked[:-1], len(expected) - 1]
    assert flat(order(arun, path, batch_size=7, indices=asked, start=40)) == found[40:]

    async def use(reader):
        return [sample async for sample in reader.samples(indices=asked[:20])]

    assert_same(arun(opened(path, use)), [expected[i] for i in asked[:20]])


def test_drop_last_leaves_out_the_short_step(arun, path):
    for world_size, count in ((1, 9), (2, 4)):
        for rank in range(world_size):
            batches = order(arun, path, batch_size=32, drop_last=True, rank=rank, world_size=world_size)
            assert [len(batch) for batch in batches] == [32] * count


def test_a_stream_knows_how_many_batches_it_has(arun, path):
    async def use(reader):
        lengths = []
        for arguments in (
            {},
            {"drop_last": True},
            {"start": 290},
            {"rank": 1, "world_size": 2},
            {"start": 300},
        ):
            stream = reader.batches(32, **arguments)
            lengths.append((len(stream), len(await order_of(stream))))
        return lengths

    assert arun(opened(path, use)) == [(10, 10), (9, 9), (1, 1), (5, 5), (0, 0)]


# -- single samples and many


def test_get_gives_single_samples(arun, path, expected):
    async def use(reader):
        got = [await reader.get(i) for i in (0, 17, -1, np.int64(5))]
        return got, await reader.get(4, raw=True), await asyncio.gather(*map(reader.get, range(40)))

    got, raw, many = arun(opened(path, use))
    assert_same(got, [expected[i] for i in (0, 17, -1, 5)])
    assert_same(many, expected[:40])
    assert isinstance(raw, bytes)
    with MsgpackReader(path) as reader:
        assert raw == reader.get(4, raw=True)


@pytest.mark.parametrize("indices", [[3], [5, 1, 5, 0], [-1, -300], range(300), np.arange(299, -1, -7), []])
def test_get_many_gives_samples_in_any_order(arun, path, expected, indices):
    batch = arun(opened(path, lambda reader: reader.get_many(indices)))
    assert_same(list(batch), [expected[i] for i in indices])
    assert batch.keys == [SAMPLES[i]["key"] for i in indices]


@pytest.mark.parametrize("index", [300, -301, 1 << 70])
def test_indices_out_of_range_are_refused(arun, path, index):
    for name, argument in (("get", index), ("get_many", [0, index])):
        with pytest.raises((SampleIndexError, TypeError)):
            arun(opened(path, lambda reader, name=name, argument=argument: getattr(reader, name)(argument)))


@pytest.mark.parametrize("index", [1.0, "1", None])
def test_what_is_no_index_is_refused(arun, path, index):
    for name, argument in (("get", index), ("get_many", [index])):
        with pytest.raises(TypeError):
            arun(opened(path, lambda reader, name=name, argument=argument: getattr(reader, name)(argument)))


def test_indices_are_found_by_key(arun, path):
    async def use(reader):
        found = await asyncio.gather(*(reader.find_index(key) for key in keys_of(SAMPLES)))
        with pytest.raises(SampleKeyError, match="'nobody'"):
            await reader.find_index("nobody")
        with pytest.raises(TypeError):
            await reader.find_index(3)
        return found

    assert arun(opened(path, use)) == list(range(300))


def test_length_and_keys(arun, path):
    async def use(reader):
        return len(reader), list(reader.keys()), repr(reader)

    assert arun(opened(path, use))[:2] == (300, keys_of(SAMPLES))


def test_the_index_of_old_is_read(arun, tmp_path):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES[:20])

    async def use(reader):
        samples = [sample["label"] async for sample in reader.samples()]
        return samples, await reader.find_index(SAMPLES[3]["key"]), len(reader)

    assert arun(opened(path, use)) == (list(range(20)), 3, 20)


def test_pickled_arrays_are_refused_unless_allowed(arun, tmp_path):
    path = write(tmp_path / "x.msgpack", [{"key": "a", "x": np.array(["a", None])}])

    async def use(reader):
        batch = await anext(reader.batches(1))
        return (await reader.get(0))["x"].tolist(), batch[0]["x"].tolist(), next(iter(batch["x"])).tolist()

    with pytest.raises(PickleRefusedError):
        arun(opened(path, use))
    assert arun(opened(path, use, allow_pickle=True)) == (["a", None],) * 3


def test_an_empty_dataset_has_no_batches(arun, tmp_path):
    path = write(tmp_path / "x.msgpack", [])

    async def use(reader):
        assert len(reader) == 0
        assert await order_of(reader.batches(4, shuffle=True)) == []
        assert len(await reader.get_many([])) == 0
        return [sample async for sample in reader.samples()]

    assert arun(opened(path, use)) == []


def test_a_finished_stream_stays_finished(arun, path):
    async def use(reader):
        stream = reader.batches(100)
        first = await order_of(stream)
        return len(first), await order_of(stream)

    assert arun(opened(path, use)) == (3, [])


# -- before and after


def test_nothing_works_before_and_after(arun, path):
    reader = AsyncReader(path)

    async def refused():
        for call in (lambda: reader.batches(1), lambda: reader.samples(), lambda: len(reader), reader.keys):  # noqa: PLW0108
            with pytest.raises(ClosedError, match="async with"):
                call()
        for call in (lambda: reader.get(0), lambda: reader.get_many([0]), lambda: reader.find_index("a")):
            with pytest.raises(ClosedError, match="async with"):
                await call()

    async def main():
        assert "not open" in repr(reader)
        await refused()
        async with reader:
            assert len(reader) == 300
            with pytest.raises(ClosedError, match="already open"):
                async with reader:
                    pass
            assert len(reader) == 300
        await refused()
        await reader.close()
        async with reader:
            assert len(await order_of(reader.batches(100))) == 3

    arun(main())


def test_what_is_missing_or_wrong_is_told_when_it_is_opened(arun, tmp_path):
    async def nothing(reader):
        pass

    with pytest.raises(DatasetNotFoundError, match=r"nothing\.msgpack"):
        arun(opened(tmp_path / "nothing.msgpack", nothing))
    path = write(tmp_path / "x.msgpack", SAMPLES[:3])
    beside(path, ".offsets").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"x\.msgpack\.offsets"):
        arun(opened(path, nothing))


@pytest.mark.parametrize(
    "arguments",
    [{"batch_size": 0}, {"start": 301}, {"start": -1}, {"rank": 1}, {"world_size": 0}, {"shuffle": "no"}],
)
def test_arguments_out_of_range_are_refused(arun, path, arguments):
    async def use(reader):
        reader.batches(**{"batch_size": 4, **arguments})

    with pytest.raises(ValueError, match=next(iter(arguments))):
        arun(opened(path, use))


@pytest.mark.parametrize("option", [{"prefetch_bytes": 0}, {"queue_depth": 0}, {"timeout": 0}])
def test_options_out_of_range_are_refused(arun, path, option):
    async def use(reader):
        pass

    with pytest.raises(ValueError, match=next(iter(option))):
        arun(opened(path, use, **option))
