"""Reading through the cache: the same bytes as without it, fetched once."""

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from counting_storage import CountingStorage, open_files, pseudo_random, read, read_async
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddfast.errors import ClosedError, DatasetReplacedError
from ddfast.storage import CachedStorage, cache_usage, clear_cache
from ddfast.storage.cache import cached as cached_storage
from ddfast.storage.cache import shared
from ddfast.storage.cache.shared import shared_cache

BLOCK = 16384
CONTENT = pseudo_random(10 * BLOCK + 777)
POSITIONS = st.integers(0, len(CONTENT)) | st.integers(0, 10).map(lambda block: block * BLOCK)
SPANS = st.lists(st.tuples(POSITIONS, POSITIONS).map(lambda span: (min(span), max(span))), max_size=6)
WAIT = 20.0


@pytest.fixture
def open_cache(tmp_path):
    opened = []

    def open_it(storage=None, limit=1 << 30, block=BLOCK, directory="cache"):
        cached = CachedStorage(storage or CountingStorage(CONTENT), tmp_path / directory, limit, block)
        opened.append(cached)
        return cached

    yield open_it
    for cached in opened:
        cached.close()


def expected(*spans):
    return [CONTENT[start:stop] for start, stop in spans]


@given(batches=st.lists(SPANS, max_size=4), blocks=st.integers(1, 4), asynchronous=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_spans_are_the_bytes_of_the_object_from_far_and_from_here(
    tmp_path_factory, batches, blocks, asynchronous
):
    cached = CachedStorage(
        CountingStorage(CONTENT), tmp_path_factory.mktemp("cache"), 1 << 30, block_bytes=blocks * BLOCK
    )
    for spans in [*batches, *batches]:
        got = asyncio.run(read_async(cached, *spans)) if asynchronous else read(cached, *spans)
        assert got == expected(*spans)
    cached.close()


def test_second_epoch_reads_no_remote_byte(open_cache):
    whole = (0, len(CONTENT))
    read(open_cache(), whole)
    storage = CountingStorage(CONTENT)
    again = open_cache(storage)
    assert read(again, whole) == expected(whole)
    assert storage.asked == []
    assert again.counters.local == 11


def test_second_epoch_on_an_event_loop_reads_no_remote_byte(open_cache, arun):
    whole = (0, len(CONTENT))
    arun(read_async(open_cache(), whole))
    storage = CountingStorage(CONTENT)
    assert arun(read_async(open_cache(storage), (5, 50_000), whole)) == expected((5, 50_000), whole)
    assert storage.asked == []


def test_small_reads_fetch_each_block_once(open_cache):
    storage = CountingStorage(CONTENT)
    cached = open_cache(storage)
    for start in range(0, len(CONTENT) - 1000, 1000):
        assert read(cached, (start, start + 1000)) == expected((start, start + 1000))
    assert storage.fetched == len(CONTENT)


def test_adjacent_missing_blocks_are_one_remote_read(open_cache):
    storage = CountingStorage(CONTENT)
    cached = open_cache(storage)
    read(cached, (4 * BLOCK, 4 * BLOCK + 1))
    read(cached, (BLOCK + 5, 8 * BLOCK - 5), (9 * BLOCK, 9 * BLOCK + 1))
    assert storage.asked == [
        [(4 * BLOCK, 5 * BLOCK)],
        [(BLOCK, 4 * BLOCK), (5 * BLOCK, 8 * BLOCK), (9 * BLOCK, 10 * BLOCK)],
    ]


def test_large_reads_take_a_bounded_amount_of_memory(open_cache, monkeypatch):
    monkeypatch.setattr(cached_storage, "WINDOW_BYTES", 3 * BLOCK)
    storage = CountingStorage(CONTENT)
    assert read(open_cache(storage), (0, len(CONTENT))) == expected((0, len(CONTENT)))
    assert max(stop - start for spans in storage.asked for start, stop in spans) == 3 * BLOCK


@pytest.mark.parametrize("changed", ["version", "url", "size", "block", "endpoint"])
def test_another_object_is_never_served_from_the_blocks_of_this_one(open_cache, changed):
    read(open_cache(), (0, 100))
    other = {
        "version": CountingStorage(CONTENT[::-1], version="2"),
        "url": CountingStorage(CONTENT[::-1], url="memory://other"),
        "size": CountingStorage(CONTENT[::-1] + b"x"),
        "block": CountingStorage(CONTENT[::-1]),
        "endpoint": CountingStorage(CONTENT[::-1], endpoint="http://elsewhere"),
    }[changed]
    cached = open_cache(other, block=2 * BLOCK if changed == "block" else BLOCK)
    assert read(cached, (0, 100)) == [other.content[:100]]


def test_object_without_a_version_is_never_cached(open_cache, tmp_path):
    storage = CountingStorage(CONTENT, version=None)
    cached = open_cache(storage)
    assert read(cached, (3, 9)) == read(cached, (3, 9)) == expected((3, 9))
    assert storage.asked == [[(3, 9)]] * 2
    assert cache_usage(tmp_path / "cache") == (0, 0)


def test_reading_asks_for_size_and_version_once(open_cache):
    storage = CountingStorage(CONTENT)
    cached = open_cache(storage)
    for _ in range(3):
        read(cached, (0, 1))
    assert storage.stats == 1


def test_stat_asks_the_storage_and_refuses_a_replaced_object(open_cache, arun):
    storage = CountingStorage(CONTENT)
    cached = open_cache(storage)
    assert cached.stat() == arun(cached.stat_async()) == (len(CONTENT), "1")
    storage.version = "2"
    for ask in [cached.stat, lambda: arun(cached.stat_async())]:
        with pytest.raises(DatasetReplacedError, match="was replaced while it was in use"):
            ask()


def test_span_outside_the_object_is_left_to_the_storage(open_cache):
    def refuse(spans):
        raise IndexError("what the storage says")

    storage = CountingStorage(CONTENT)
    storage.before = refuse
    with pytest.raises(IndexError, match="what the storage says"):
        read(open_cache(storage), (0, len(CONTENT) + 1))


@pytest.mark.parametrize(
    ("limit", "block", "message"),
    [
        (1 << 30, 1000, "block_bytes is 1,000, but must be a multiple of 16,384"),
        (1 << 30, 0, "block_bytes is 0, but must be a multiple of 16,384"),
        (
            10_000,
            BLOCK,
            r"the limit of the cache is 10,000 bytes, less than one block takes \(20,480\). Increase it, or",
        ),
    ],
)
def test_sizes_that_make_no_sense_are_refused(open_cache, limit, block, message):
    with pytest.raises(ValueError, match=message):
        open_cache(limit=limit, block=block)


def test_threads_that_want_the_same_block_fetch_it_once(open_cache, monkeypatch):
    monkeypatch.setattr(shared, "SHORTEST_WAIT", WAIT)
    storage, go = CountingStorage(CONTENT), threading.Event()
    storage.before = lambda spans: go.wait(WAIT)
    cached = open_cache(storage)
    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(read, cached, (number, BLOCK * 2)) for number in range(8)]
        assert storage.reached.wait(WAIT)
        go.set()
        assert [found.result() for found in reads] == [expected((number, BLOCK * 2)) for number in range(8)]
    assert storage.asked == [[(0, 2 * BLOCK)]]


def test_tasks_that_want_the_same_block_fetch_it_once(open_cache, arun, monkeypatch):
    monkeypatch.setattr(shared, "SHORTEST_WAIT", WAIT)
    storage = CountingStorage(CONTENT)
    cached = open_cache(storage)

    async def all_at_once():
        return await asyncio.gather(*(read_async(cached, (number, BLOCK * 2)) for number in range(8)))

    assert arun(all_at_once()) == [expected((number, BLOCK * 2)) for number in range(8)]
    assert storage.asked == [[(0, 2 * BLOCK)]]


def test_two_reads_that_want_each_other_s_blocks_both_end(open_cache):
    storage, meet = CountingStorage(CONTENT), threading.Barrier(2, timeout=WAIT)
    storage.before = lambda spans: meet.wait() if len(storage.asked) <= 2 else None
    cached = open_cache(storage)
    whole = [(0, BLOCK), (5 * BLOCK, 6 * BLOCK)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read, cached, whole[0])
        second = pool.submit(read, cached, whole[1])
        assert [first.result(), second.result()] == [expected(whole[0]), expected(whole[1])]
        both = list(pool.map(lambda spans: read(cached, *spans), [whole, whole[::-1]]))
    assert both == [expected(*whole), expected(*whole[::-1])]


def test_who_waited_for_a_read_that_failed_reads_by_itself(open_cache, monkeypatch):
    monkeypatch.setattr(shared, "SHORTEST_WAIT", WAIT)
    storage, go = CountingStorage(CONTENT), threading.Event()

    def fail_first(spans):
        if len(storage.asked) == 1:
            go.wait(WAIT)
            raise OSError("lost")

    storage.before = fail_first
    cached = open_cache(storage)
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(read, cached, (0, 10))
        assert storage.reached.wait(WAIT)
        waiting = pool.submit(read, cached, (5, 20))
        go.set()
        with pytest.raises(OSError, match=r"^lost$"):
            failing.result()
        assert waiting.result() == expected((5, 20))


def test_who_waited_for_a_cancelled_read_reads_by_itself(open_cache, arun, monkeypatch):
    monkeypatch.setattr(shared, "SHORTEST_WAIT", WAIT)
    storage = CountingStorage(CONTENT)

    async def stall_first(spans):
        reached.set()
        if len(storage.asked) == 1:
            await asyncio.sleep(WAIT)

    storage.before_async = stall_first
    cached = open_cache(storage)

    reached = asyncio.Event()

    async def cancel_first():
        first = asyncio.create_task(read_async(cached, (0, 10)))
        await reached.wait()
        second = asyncio.create_task(read_async(cached, (5, 20)))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert arun(cancel_first()) == expected((5, 20))
    assert cached.counters.passed == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_second_request_for_what_is_slow_to_come_does_not_wait_for_the_first(
    open_cache, arun, monkeypatch, asynchronous
):
    monkeypatch.setattr(shared, "SHORTEST_WAIT", 0.01)
    storage, go = CountingStorage(CONTENT), threading.Event()
    storage.before = lambda spans: go.wait(WAIT) if len(storage.asked) == 1 else None
    cached = open_cache(storage)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(read, cached, (0, 10))
        assert storage.reached.wait(WAIT)
        second = arun(read_async(cached, (5, 20))) if asynchronous else read(cached, (5, 20))
        assert second == expected((5, 20))
        assert storage.asked[1] == [(5, 20)]
        go.set()
        assert stuck.result() == expected((0, 10))


def test_cancelled_caller_comes_back_when_nothing_touches_its_memory_any_more(tmp_path, arun):
    cache = shared_cache(tmp_path / "cache", 1 << 30)
    ended, begun = threading.Event(), threading.Event()

    def slow():
        begun.set()
        ended.wait(0.05)
        ended.set()

    async def cancel():
        task = asyncio.create_task(cache.in_thread(slow))
        await asyncio.sleep(0)
        assert begun.wait(WAIT)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ended.is_set()

    assert arun(cancel())
    cache.release()


def test_index_file_beside_is_cached_in_the_same_directory(open_cache):
    storage = CountingStorage(CONTENT)
    storage.others[".offsets"] = b"offsets"
    index = open_cache(storage).beside(".offsets")
    assert index.url == "memory://object.offsets"
    assert read(index, (1, 4)) == read(index, (1, 4)) == [b"ffs"]
    assert index.storage.asked == [[(0, 7)]]
    index.close()


def test_pickled_storage_opens_anew(open_cache):
    cached = open_cache()
    read(cached, (0, 10))
    copy = pickle.loads(pickle.dumps(cached))
    assert read(copy, (0, 10)) == expected((0, 10))
    assert (copy.storage.asked, copy.block_bytes) == ([], BLOCK)
    copy.close()


def test_closed_storage_refuses_to_read_and_has_closed_the_one_below(open_cache, arun):
    cached = open_cache()
    arun(cached.close_async())
    cached.close()
    with pytest.raises(ClosedError):
        cached.storage.check_usable()
    for use in [lambda: read(cached, (0, 1)), cached.stat, lambda: arun(read_async(cached, (0, 1)))]:
        with pytest.raises(ClosedError, match=r"^memory://object: the storage is closed$"):
            use()


def test_no_thread_and_no_file_is_left_after_close(open_cache, arun, tmp_path):
    threads = threading.active_count()
    first, second = open_cache(), open_cache(CountingStorage(CONTENT, url="memory://other"))
    arun(read_async(first, (0, len(CONTENT))))
    first.close()
    assert read(second, (0, 10)) == expected((0, 10))
    assert any(str(tmp_path) in name for name in open_files()) == (sys.platform == "linux")
    second.close()
    assert not any(str(tmp_path) in name for name in open_files())
    assert threading.active_count() == threads


FORK = """
import os, sys
sys.path.insert(0, {tests!r})
from counting_storage import CountingStorage, open_files, read
from ddfast.errors import ClosedError, DatasetReplacedError
from ddfast.storage import CachedStorage
cached = CachedStorage(CountingStorage(bytes(100)), "cache", 1 << 20, 16384)
read(cached, (0, 9))
child = os.fork()
if not child:
    assert not any(name.endswith("cache") or name.endswith("usage") for name in open_files())
    try:
        read(cached, (0, 9))
    except ClosedError as error:
        print(error, flush=True)
    cached.close()
    again = CachedStorage(CountingStorage(bytes(100)), "cache", 1 << 20, 16384)
    assert read(again, (0, 9)) == [bytes(9)] and not again.storage.asked
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert read(cached, (0, 9)) == [bytes(9)]
"""


def test_storage_from_before_a_fork_refuses_to_read_in_the_child(run_python):
    done = run_python("-W", "ignore", "-c", FORK.format(tests=str(Path(__file__).parent.parent)))
    assert (done.returncode, done.stderr) == (0, "")
    assert "which was forked from it" in done.stdout


def test_usage_counts_blocks_and_clearing_removes_them(open_cache, tmp_path):
    cached = open_cache()
    read(cached, (0, len(CONTENT)))
    usage = cache_usage(tmp_path / "cache")
    assert usage == (11, 10 * 20480 + 4096)
    (tmp_path / "cache" / "mine.txt").write_text("kept")
    assert clear_cache(tmp_path / "cache") == usage
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"mine.txt", "usage"}
    assert read(cached, (0, 10)) == expected((0, 10))
    assert cache_usage(tmp_path / "cache").blocks == 1


def test_usage_of_a_directory_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        cache_usage(tmp_path / "nowhere")
