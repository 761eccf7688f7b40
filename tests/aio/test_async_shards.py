"""AsyncReader of shards: the batches of one dataset, also if one of the files fails."""

import asyncio
import os
import threading

import pytest
from datasets import damage, keys_of, replace, some_samples, write

import ddfast.dataset.sharded
from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import (
    ClosedError,
    CorruptSampleError,
    DatasetChangedError,
    DatasetNotFoundError,
    DdfastError,
    SampleIndexError,
    SampleKeyError,
)
from ddfast.testing import assert_same_sample

SAMPLES = some_samples(60)
SIZES = [10, 0, 1, 29, 20]


@pytest.fixture
def paths(tmp_path):
    paths = []
    for number, size in enumerate(SIZES):
        start = sum(SIZES[:number])
        paths.append(write(tmp_path / f"{number}.msgpack", SAMPLES[start : start + size]))
    return paths


@pytest.fixture
def one(tmp_path):
    with MsgpackReader(write(tmp_path / "one", SAMPLES)) as reader:
        yield reader


async def collect(stream):
    """What a pass gives: indices of a batch, or the error in its place."""
    results = []
    while True:
        try:
            results.append((await anext(stream)).indices.tolist())
        except StopAsyncIteration:
            return results
        except DdfastError as error:
            results.append(error)


@pytest.mark.parametrize("source", ["pattern", "list", "iterator"])
@pytest.mark.parametrize("io", ["threads", "uring"])
def test_streams_of_shards_are_those_of_one_dataset(arun, paths, one, source, io):
    sources = {"pattern": paths[0].with_name("*.msgpack"), "list": paths, "iterator": map(str, paths)}

    async def main():
        async with AsyncReader(sources[source], io=io) as reader:
            assert len(reader) == 60
            for arguments in (
                {},
                {"shuffle": True, "seed": 5},
                {"shuffle": "block"},
                {"indices": [59, 0, 10, 11]},
            ):
                batches = [batch async for batch in reader.batches(7, **arguments)]
                for batch, other in zip(batches, one.batches(7, **arguments), strict=True):
                    assert batch.indices.tolist() == other.indices.tolist()
                    assert_same_sample(list(batch), list(other))
                    assert batch.keys == other.keys
            samples = [sample async for sample in reader.samples(shuffle=True, rank=1, world_size=2)]
            assert_same_sample(samples, [b[0] for b in one.batches(1, shuffle=True, rank=1, world_size=2)])

    try:
        arun(main())
    except OSError as error:
        if io != "uring" or "io_uring" not in str(error):
            raise
        pytest.skip("this system has no io_uring")


def test_single_samples_and_keys(arun, paths):
    async def main():
        async with AsyncReader(paths) as reader:
            assert_same_sample(await reader.get(-1), SAMPLES[59])
            assert_same_sample(
                list(await reader.get_many([59, 9, 10, 11])), [SAMPLES[i] for i in (59, 9, 10, 11)]
            )
            assert await reader.get(10, raw=True) == MsgpackReader(paths[2]).get(0, raw=True)
            assert list(reader.keys()) == keys_of(SAMPLES)
            for i in (0, 10, 59):
                assert await reader.find_index(SAMPLES[i]["key"]) == i
            with pytest.raises(SampleKeyError, match="more shards has no sample with key 'x'"):
                await reader.find_index("x")
            with pytest.raises(SampleIndexError, match=r"out of range: .* has 60 samples"):
                await reader.get(60)

    arun(main())


def test_what_a_reader_of_shards_is_called(arun, paths):
    pattern = f"{paths[0].parent}/*.msgpack"

    async def main():
        assert repr(AsyncReader(pattern)) == f"<AsyncReader {pattern!r}: not open>"
        async with AsyncReader(paths) as reader:
            assert repr(reader) == f"<AsyncReader '{paths[0]} and 4 more shards': 60 samples>"

    arun(main())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("*.nothing", r"no file matches .*\*\.nothing"),
        (["0.msgpack", "gone.msgpack"], r"gone\.msgpack not found"),
    ],
)
def test_missing_shards_are_told_when_the_reader_is_entered(arun, paths, source, message):
    folder = paths[0].parent

    async def main():
        where = folder / source if isinstance(source, str) else [folder / name for name in source]
        reader = AsyncReader(where)
        with pytest.raises(DatasetNotFoundError, match=message):
            await reader.__aenter__()
        with pytest.raises(ClosedError, match="is not open"):
            len(reader)

    arun(main())


def test_the_loop_runs_while_shards_are_looked_at(arun, paths, monkeypatch):
    looked = threading.Event()
    measure = ddfast.dataset.sharded._measure

    def slow(*args):
        assert looked.wait(20)
        return measure(*args)

    monkeypatch.setattr(ddfast.dataset.sharded, "_measure", slow)

    async def main():
        asyncio.get_running_loop().call_later(0.01, looked.set)
        async with AsyncReader(paths) as reader:
            assert len(reader) == 60

    arun(main())


@pytest.mark.parametrize("change", ["gone", "replaced", "damaged"])
def test_a_bad_shard_costs_its_batches_alone(arun, paths, change):
    async def main():
        async with AsyncReader(paths, prefetch_bytes=1) as reader:
            stream = reader.batches(5)
            assert (await anext(stream)).indices.tolist() == [0, 1, 2, 3, 4]
            if change == "gone":
                paths[4].unlink()
                kind, message = DatasetNotFoundError, r"4\.msgpack not found"
            elif change == "replaced":
                replace(paths[4], write(paths[4].with_name("other"), SAMPLES[:20]))
                kind, message = DatasetChangedError, r"4\.msgpack was replaced"
            else:
                damage(paths[4], 2)
                kind, message = CorruptSampleError, r"4\.msgpack: sample 2, 42 of all shards"
                os.utime(paths[4], ns=(0, reader._fetcher.dataset._list[4].modified))
            rest = await collect(stream)
            assert rest[:7] == [[*range(i, i + 5)] for i in range(5, 40, 5)]
            for error in rest[7:] if change != "damaged" else rest[7:8]:
                assert type(error) is kind
                assert pytest.raises(kind, match=message).matches(error)
            assert change != "damaged" or rest[8:] == [[*range(i, i + 5)] for i in range(45, 60, 5)]

    arun(main())


STUCK = """
import asyncio, os, sys
import pytest
from ddfast import AsyncReader
from ddfast.errors import StorageTimeoutError
paths = sys.argv[1:]
async def main():
    async with AsyncReader(paths, timeout=0.1) as reader:
        open(paths[3] + ".stuck", "w").close()
        for _ in range(2):
            for read in (reader.get(20), reader.get_many([20, 0]), anext(reader.batches(60))):
                with pytest.raises(StorageTimeoutError, match=r"no read has completed for 0\\.1 s"):
                    await read
        assert (await reader.get(0))["key"] == (await reader.get_many([0]))[0]["key"]
        os.unlink(paths[3] + ".stuck")
asyncio.run(main())
"""


def test_a_shard_that_cannot_be_opened_in_time_is_given_up(paths, run_with_stuck_storage):
    run_with_stuck_storage(STUCK, *paths)
