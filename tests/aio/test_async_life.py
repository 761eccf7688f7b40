"""A loop over batches can end in any way without leaving a thread, descriptor, task or memory behind."""

import asyncio
import gc
import importlib
import itertools
import time

import pytest
from datasets import descriptors, replace, some_samples, threads, write

import ddfast.loading.fetcher
from ddfast import AsyncReader
from ddfast.errors import ClosedError, StorageTimeoutError
from ddfast.testing import assert_same_sample

aio_reader = importlib.import_module("ddfast.aio.reader")

SAMPLES = [*some_samples(200), {"key": "large", "label": 200, "image": bytes(2_000_000)}]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "x.msgpack", SAMPLES)


@pytest.fixture
def clean(arun):
    """``clean(main, *arguments)`` runs a coroutine function and asserts that it leaves nothing behind."""

    def left_behind(before):
        gc.collect()
        return {*threads(), *descriptors()} - before

    async def watched(main, arguments):
        before = {*threads(), *descriptors()}
        await main(*arguments)
        for _ in range(
            200
        ):  # what was dropped rather than closed ends by itself, and a thread takes time to go
            if not left_behind(before):
                break
            await asyncio.sleep(0.01)
        assert left_behind(before) == set()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    return lambda main, *arguments: arun(watched(main, arguments))


@pytest.fixture
def stuck(monkeypatch):
    """Reads of streams and of get_many never start: storage does not answer."""

    class Stuck(ddfast.loading.fetcher.Fetch):
        def submit(self):
            pass

    monkeypatch.setattr(ddfast.loading.fetcher, "Fetch", Stuck)


@pytest.fixture
def slow(monkeypatch):
    """Reads start a little later."""

    class Slow(ddfast.loading.fetcher.Fetch):
        def submit(self):
            asyncio.get_running_loop().call_later(0.002, super().submit)

    monkeypatch.setattr(ddfast.loading.fetcher, "Fetch", Slow)


async def consume(reader, **arguments):
    return [index async for batch in reader.batches(16, **arguments) for index in batch.indices.tolist()]


async def used_memory(reader):
    gc.collect()
    for _ in range(200):  # a read that is running when it is given up ends by itself
        if reader._fetcher.pool.used == 0:
            break
        await asyncio.sleep(0.01)
    return reader._fetcher.pool.used


# -- ways to end


def test_reading_to_the_end_leaves_nothing(path, clean):
    async def main():
        async with AsyncReader(path) as reader:
            assert await consume(reader) == list(range(201))
            assert await used_memory(reader) == 0

    clean(main)


@pytest.mark.parametrize("reads", ["stream", "samples"])
def test_leaving_early_leaves_nothing(path, clean, reads):
    async def main():
        async with AsyncReader(path, prefetch_bytes=1 << 20) as reader:
            for _ in range(5):
                async for got in reader.batches(1) if reads == "stream" else reader.samples():
                    del got
                    break
            assert await used_memory(reader) == 0
            assert await consume(reader) == list(range(201))

    clean(main)


def test_an_exception_in_the_consumer_leaves_nothing(path, clean):
    async def main():
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with AsyncReader(path) as reader:
                async for batch in reader.batches(8):
                    _ = 1 // int(batch.indices[0] - 8)

    clean(main)


def test_leaving_with_kept_batches_keeps_them_valid(path, clean):
    async def main():
        async with AsyncReader(path, prefetch_bytes=1) as reader:
            batches = [batch async for batch in reader.batches(50)]
        gc.collect()
        assert_same_sample([sample for batch in batches for sample in batch], SAMPLES)

    clean(main)


def test_a_reader_that_is_never_closed_leaves_nothing(path, clean):
    async def main():
        reader = AsyncReader(path)
        await reader.__aenter__()
        await anext(reader.batches(4))

    clean(main)


def test_aclose_ends_a_stream(path, clean):
    async def main():
        async with AsyncReader(path) as reader:
            for stream in (reader.batches(4), reader.samples()):
                await anext(stream)
                await stream.aclose()
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
            assert await used_memory(reader) == 0

    clean(main)


@pytest.mark.parametrize("kind", ["busy", "slow", "stuck"])
def test_cancelling_the_task_leaves_nothing(path, clean, request, kind):
    if kind != "busy":
        request.getfixturevalue(kind)

    async def main():
        async def endless():
            async with AsyncReader(path) as reader:
                while True:
                    await consume(reader, shuffle=True)

        task = asyncio.create_task(endless())
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    clean(main)


@pytest.mark.parametrize("kind", ["busy", "slow", "stuck"])
def test_a_timeout_leaves_nothing_and_the_reader_goes_on(path, clean, request, monkeypatch, kind):
    if kind != "busy":
        request.getfixturevalue(kind)

    async def main():
        async with AsyncReader(path) as reader:

            async def endless():
                while True:
                    await consume(reader)

            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(endless(), 0.03)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(endless(), 0.01)
            monkeypatch.undo()
            assert await used_memory(reader) == 0
            assert await consume(reader) == list(range(201))

    clean(main)


@pytest.mark.parametrize("call", ["get", "get_many"])
def test_single_reads_can_be_cancelled(path, clean, stuck, call):
    async def main():
        async with AsyncReader(path) as reader:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(getattr(reader, call)(3 if call == "get" else [3]), 0.02)
            assert await used_memory(reader) == 0

    clean(main)


def test_storage_that_does_not_answer_is_given_up(path, clean, stuck):
    async def main():
        async with AsyncReader(path, timeout=0.05) as reader:
            for read in (consume(reader), reader.get(1), reader.get_many([1, 2])):
                with pytest.raises(StorageTimeoutError, match=r"x\.msgpack.*0\.05 s"):
                    await read

    clean(main)


# -- several at once


def test_streams_of_one_reader_work_side_by_side(path, clean, slow):
    async def main():
        async with AsyncReader(path, prefetch_bytes=1 << 20) as reader:
            alone = [await consume(reader, shuffle=True, seed=seed) for seed in range(6)]
            together = await asyncio.gather(*(consume(reader, shuffle=True, seed=seed) for seed in range(6)))
            assert together == alone
            assert await used_memory(reader) == 0

    clean(main)


def test_readers_work_side_by_side(path, clean):
    async def read_all(seed):
        async with AsyncReader(path, queue_depth=2) as reader:
            return sorted(await consume(reader, shuffle=True, seed=seed))

    async def main():
        assert await asyncio.gather(*map(read_all, range(8))) == [list(range(201))] * 8

    clean(main)


def test_one_stream_that_fails_leaves_the_others(path, clean):
    async def main():
        async with AsyncReader(path) as reader:

            async def fail():
                async for _ in reader.batches(1):
                    raise ZeroDivisionError

            results = await asyncio.gather(consume(reader), fail(), consume(reader), return_exceptions=True)
            assert results[0] == results[2] == list(range(201))
            assert isinstance(results[1], ZeroDivisionError)

    clean(main)


def test_tasks_may_share_a_stream(path, clean):
    async def main():
        async with AsyncReader(path) as reader:
            stream = reader.batches(4, shuffle=True)

            async def worker():
                return [index async for batch in stream for index in batch.indices.tolist()]

            parts = await asyncio.gather(*(worker() for _ in range(5)))
            assert sorted(itertools.chain(*parts)) == list(range(201))

    clean(main)


@pytest.mark.parametrize("kind", ["slow", "stuck"])
def test_closing_the_reader_ends_streams_that_wait(path, clean, request, kind):
    request.getfixturevalue(kind)

    async def main():
        reader = AsyncReader(path)
        await reader.__aenter__()
        tasks = [asyncio.create_task(consume(reader)), asyncio.create_task(reader.get(3))]
        await asyncio.sleep(0.001)
        await reader.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [ClosedError, ClosedError]
        assert "x.msgpack" in str(results[0])

    clean(main)


def test_closing_the_reader_inside_a_loop_ends_it(path, clean):
    async def main():
        async with AsyncReader(path, prefetch_bytes=1) as reader:
            with pytest.raises(ClosedError, match=r"x\.msgpack"):  # noqa: PT012
                async for _ in reader.batches(1):
                    await reader.close()

    clean(main)


def test_a_stream_of_before_does_not_come_back_when_the_reader_is_opened_again(path, clean):
    async def main():
        reader = AsyncReader(path, prefetch_bytes=1)
        async with reader:
            stream = reader.batches(1)
            await anext(stream)
        async with reader:
            with pytest.raises(ClosedError):  # noqa: PT012
                while True:
                    await anext(stream)
            assert await consume(reader) == list(range(201))

    clean(main)


def test_a_reader_may_be_opened_in_one_loop_after_the_other(path, clean):
    reader = AsyncReader(path)

    async def main():
        async with reader:
            assert await consume(reader) == list(range(201))

    clean(main)
    clean(main)


def test_a_replaced_dataset_is_read_to_its_end(tmp_path, clean):
    path = write(tmp_path / "x.msgpack", SAMPLES)

    async def main():
        async with AsyncReader(path, prefetch_bytes=1) as reader:
            stream = reader.batches(10)
            first = await anext(stream)
            replace(path, write(tmp_path / "other.msgpack", some_samples(5)))
            rest = [sample async for batch in stream for sample in batch]
            assert_same_sample([*first, *rest], SAMPLES)
            assert await reader.find_index(SAMPLES[9]["key"]) == 9

    clean(main)


# -- memory


@pytest.mark.parametrize("budget", [1, 100_000, 4 << 20])
def test_a_consumer_that_keeps_all_batches_gets_them(path, clean, budget):
    async def main():
        async with AsyncReader(path, prefetch_bytes=budget) as reader:
            kept = [batch async for batch in reader.batches(4, shuffle=True)]
            assert sorted(index for batch in kept for index in batch.indices) == list(range(201))
            assert sum(batch.nbytes for batch in kept) == path.stat().st_size

    clean(main)


def test_memory_stays_within_the_budget(tmp_path, clean):
    size, count, budget = 20_000, 2000, 4 << 20
    path = write(tmp_path / "x.msgpack", [{"key": f"{i}", "x": bytes(size)} for i in range(count)], "ddfast")

    async def main():
        async with AsyncReader(path, prefetch_bytes=budget) as reader:
            for shuffle in (False, True):
                batch = None
                async for batch in reader.batches(16, shuffle=shuffle):  # noqa: B007
                    await asyncio.sleep(0)
                    pool = reader._fetcher.pool
                    # The batch in the consumer's hands, whose group may be 1 MiB and more, is not counted.
                    assert pool.used + pool.kept <= budget + (3 << 20)
                del batch
                assert await used_memory(reader) == 0

    clean(main)


def test_other_tasks_run_while_batches_are_always_ready(path, clean):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(tick())
        patience = time.monotonic() + 30
        async with AsyncReader(path) as reader:
            while ticks <= 3 and time.monotonic() < patience:
                await consume(reader, columns=())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert ticks > 3

    clean(main)


def test_a_fetch_that_was_never_started_can_be_dropped(path, clean, stuck):
    async def main():
        async with AsyncReader(path) as reader:
            for _ in range(100):
                fetch = reader._fetcher.fetch(reader._fetcher.dataset.positions([1, 2]), None, True)
                del fetch

    clean(main)
