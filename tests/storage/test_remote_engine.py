"""An engine whose remote shards are read by an I/O thread."""

from __future__ import annotations

import random

import msgpack
import numpy as np
import pytest
from transfer_doubles import URL, Memory, passing

from ddfast._native.arena import Pool
from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.remote_queue import RemoteQueue
from ddfast._native.shards import Shards
from ddfast.errors import KernelError, ReadError, StorageDeniedError
from ddfast.storage.transfer.io_thread import IOThread
from ddfast.storage.transfer.retry import RetryPolicy

COUNT = 400


class Bench:
    """A remote data file of samples, an engine, and an I/O thread between them."""

    def __init__(self, deal=lambda number: 0.0, policy=None):
        draw = random.Random(1)
        self.packed = [
            msgpack.packb({"label": i, "data": draw.randbytes(draw.randrange(20_000))}) for i in range(COUNT)
        ]
        ends = np.concatenate([[0], np.cumsum([len(p) for p in self.packed])])
        table = OffsetTable(ends.astype(">u8").tobytes(), int(ends[-1]))
        self.storage = Memory(b"".join(self.packed), deal)
        self.shards = Shards.one(File.remote(len(self.storage.data)), table, None)
        self.pool = Pool(64 << 20)
        self.engine = Engine(8)
        self.io_thread = IOThread([self.storage], RemoteQueue(self.engine), policy)
        self.io_thread.start()

    def fetch(self, indices):
        fetch = Fetch(
            self.engine,
            self.shards,
            self.pool,
            indices=indices,
            batch_size=50,
            max_gap=4096,
            max_read=1 << 16,
        )
        fetch.submit()
        return fetch

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        assert self.io_thread.close(30)
        assert self.engine.stop(30)


def samples(fetch):
    tables = [fetch.table(batch) for batch in range(len(fetch))]
    return [bytes(table.packed(i)) for table in tables for i in range(len(table))]


@pytest.mark.parametrize("seed", range(3))
def test_samples_come_right_over_a_storage_that_is_slow_and_faulty(seed):
    draw = random.Random(seed)

    def deal(number):
        if draw.random() < 0.1:
            raise passing()
        return draw.random() * 0.005

    with Bench(deal, RetryPolicy(retries=30, backoff=0.001)) as bench:
        wanted = [np.random.default_rng(i).integers(0, COUNT, 100) for i in range(10)]
        fetches = [bench.fetch(indices) for indices in wanted]
        for fetch, indices in zip(fetches, wanted, strict=True):
            assert fetch.wait(30)
            assert samples(fetch) == [bench.packed[i] for i in indices]
        assert bench.io_thread.counters.retries > 0


def test_the_reason_of_a_failed_fetch_leads_to_the_storages_error():
    denied = StorageDeniedError(f"{URL} must not be read: höst\0", url=URL)

    def deal(number):
        raise denied

    with Bench(deal) as bench:
        fetch = bench.fetch(np.arange(50))
        assert fetch.wait(30)
        with pytest.raises(OSError, match="Permission denied") as caught:
            fetch.check()
        assert bench.io_thread.state.errors[caught.value.reason] is denied


def test_a_fetch_given_up_ends_its_reads_under_way():
    with Bench(lambda number: 1000.0, RetryPolicy(timeout=1000.0, attempt_timeout=1000.0)) as bench:
        fetch = bench.fetch(np.arange(0, COUNT, 8))
        while bench.storage.at_work < 8:
            pass
        del fetch
        bench.storage.deal = lambda number: 0.0
        fetch = bench.fetch(np.arange(50))
        assert fetch.wait(30)
        assert samples(fetch) == bench.packed[:50]
        assert bench.storage.cancelled >= 8


def test_closing_the_agent_ends_fetches_that_are_waited_for():
    with Bench(lambda number: 1000.0) as bench:
        fetch = bench.fetch(np.arange(COUNT))
        assert bench.io_thread.close(30)
        assert fetch.wait(30)
        with pytest.raises((KernelError, ReadError, OSError)):
            fetch.check()
