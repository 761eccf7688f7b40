"""The counters of readers."""

import threading

import pytest
from datasets import offsets_of, some_samples, write

from ddfast import AsyncReader, MsgpackReader
from ddfast.reader import ShardedReader
from ddfast.stats import Counters

SAMPLES = some_samples(100)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


def test_a_fresh_reader_has_done_nothing(path):
    with MsgpackReader(path) as reader:
        assert set(reader.stats()) == {0}


def test_a_pass_delivers_and_reads_all_bytes_once(path):
    size = path.stat().st_size
    with MsgpackReader(path) as reader:
        list(reader.batches(7))
        stats = reader.stats()
    assert (stats.samples, stats.batches) == (100, 15)
    assert stats.bytes_delivered == stats.bytes_read == size
    assert stats.reads + stats.merged >= 100
    assert stats.reads <= 100


def test_samples_next_to_each_other_share_a_read(path):
    with MsgpackReader(path) as reader:
        reader.get_many([3, 4, 5])
        stats = reader.stats()
        assert (stats.reads, stats.merged) == (1, 2)
        offsets = offsets_of(path)
        assert stats.bytes_read == stats.bytes_delivered == offsets[6] - offsets[3]
        reader.get_many([0, 99])
        assert (reader.stats().reads, reader.stats().merged) == (3, 2)


@pytest.mark.parametrize("options", [{}, {"prefetch_bytes": 1}, {"queue_depth": 1}], ids=str)
def test_what_is_delivered_does_not_depend_on_reading_ahead(path, options):
    with MsgpackReader(path, **options) as reader:
        batches = reader.batches(9, shuffle=True)
        for number in range(1, 5):
            next(batches)
            stats = reader.stats()
            assert (stats.samples, stats.batches) == (9 * number, number)


def test_all_faces_count_the_same(arun, path):
    async def main():
        async with AsyncReader(path) as reader:
            async for _ in reader.batches(10):
                pass
            await reader.get_many([1, 2])
        return reader.stats()

    with ShardedReader([path]) as sharded, MsgpackReader(path) as single:
        for reader in (sharded, single):
            list(reader.batches(10))
            reader.get_many([1, 2])
        counted = [sharded.stats(), single.stats(), arun(main())]
    assert len({stats._replace(seconds_waited=0, reads=0) for stats in counted}) == 1
    assert counted[0].samples == 102


def test_waiting_is_counted(path, monkeypatch):
    import ddfast.loading.fetcher

    class Late(ddfast.loading.fetcher.Fetch):
        def submit(self):
            threading.Timer(0.2, super().submit).start()

    monkeypatch.setattr(ddfast.loading.fetcher, "Fetch", Late)
    with MsgpackReader(path) as reader:
        next(reader.batches(10))
        assert reader.stats().seconds_waited > 0


def test_counts_of_threads_add_up():
    counters = Counters()
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        for _ in range(5000):
            counters.local.samples += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.total().samples == 20_000


def test_stats_stay_when_a_reader_is_closed(path):
    reader = MsgpackReader(path)
    list(reader.batches(10))
    reader.close()
    assert reader.stats().samples == 100
