"""Groups of batches: what the engine reads is what the file holds, and what is damaged is told where it is."""

import gc
import select
from pathlib import Path

import msgpack
import numpy as np
import pytest

from ddfast._native.arena import Pool
from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.order import Order
from ddfast._native.shards import Shards
from ddfast._native.status import E_CANCELLED, E_CHANGED, E_SPAN
from ddfast.errors import KernelError

COUNT = 300


class Bench:
    """A small dataset and an engine."""

    def __init__(self, folder, sizes=None, offsets=None):
        rng = np.random.default_rng(1)
        sizes = rng.integers(0, 20_000, COUNT).tolist() if sizes is None else sizes
        self.samples = [{"label": i, "data": rng.bytes(size)} for i, size in enumerate(sizes)]
        self.packed = [msgpack.packb(sample) for sample in self.samples]
        self.path = folder / "x.msgpack"
        self.path.write_bytes(b"".join(self.packed))
        ends = np.concatenate([[0], np.cumsum([len(p) for p in self.packed])]) if offsets is None else offsets
        self.offsets = OffsetTable(np.asarray(ends, ">u8").tobytes(), self.path.stat().st_size)
        self.file = File(self.path)
        self.pool = Pool(64 << 20)
        self.engine = Engine(8)

    def fetch(self, **kwargs):
        kwargs = {"max_gap": 4096, "max_read": 1 << 20, **kwargs}
        return Fetch(self.engine, Shards.one(self.file, self.offsets), self.pool, **kwargs)

    def read(self, **kwargs):
        fetch = self.fetch(**kwargs)
        fetch.submit()
        assert fetch.wait(30)
        return fetch


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    assert bench.engine.stop(30)


def raw(fetch, batch):
    table = fetch.table(batch)
    return [bytes(table.packed(i)) for i in range(len(table))]


@pytest.mark.parametrize("max_gap", [0, 4096, 1 << 30])
@pytest.mark.parametrize("max_read", [1, 1000, 1 << 20])
@pytest.mark.parametrize("tables", [False, True])
def test_samples_come_as_the_file_has_them(bench, max_gap, max_read, tables):
    count = 20 if max_read == 1 else COUNT
    wanted = np.random.default_rng(2).integers(0, COUNT, count)
    fetch = bench.read(indices=wanted, batch_size=64, max_gap=max_gap, max_read=max_read, tables=tables)
    assert len(fetch) == -(-count // 64)
    got = [sample for batch in range(len(fetch)) for sample in raw(fetch, batch)]
    assert got == [bench.packed[i] for i in wanted]
    assert np.array_equal(np.concatenate([fetch.indices(b) for b in range(len(fetch))]), wanted)


def test_batches_lie_a_stride_apart_in_the_order(bench):
    order = Order(COUNT, True, 3)
    fetch = bench.read(order=order, first=10, stride=50, count=40 + 7, batch_size=20)
    for batch, (start, stop) in enumerate([(10, 30), (60, 80), (110, 117)]):
        assert np.array_equal(fetch.indices(batch), order.indices(start, stop))
        assert raw(fetch, batch) == [bench.packed[i] for i in order.indices(start, stop)]


def test_run_gives_what_submit_gives(bench):
    fetch = bench.fetch(indices=np.arange(COUNT), batch_size=COUNT)
    assert fetch.run(0) or fetch.wait(30)
    assert raw(fetch, 0) == bench.packed


def test_only_the_damaged_batch_fails(tmp_path):
    bench = Bench(tmp_path, sizes=[100] * 30)
    content = bytearray(bench.path.read_bytes())
    start, _ = bench.offsets.span(14)
    content[start + 1] = 0xC1
    with bench.path.open("r+b") as file:
        file.write(content)
    fetch = bench.read(indices=np.arange(30), batch_size=10)
    fetch.check()
    assert raw(fetch, 0) == bench.packed[:10]
    assert raw(fetch, 2) == bench.packed[20:]
    with pytest.raises(KernelError) as caught:
        fetch.table(1)
    assert (caught.value.item, caught.value.pos) == (4, 1)
    assert fetch.indices(1).tolist() == list(range(10, 20))


def test_damaged_offsets_fail_their_batch_alone(tmp_path):
    size = len(msgpack.packb({"label": 0, "data": bytes(100)}))
    offsets = [i * size for i in range(31)]
    offsets[15] = 10**12
    bench = Bench(tmp_path, sizes=[100] * 30, offsets=offsets)
    fetch = bench.read(indices=np.arange(30), batch_size=10)
    assert raw(fetch, 0) == bench.packed[:10]
    assert raw(fetch, 2) == bench.packed[20:]
    with pytest.raises(KernelError) as caught:
        fetch.table(1)
    assert (caught.value.code, caught.value.item) == (E_SPAN, 4)


def test_a_file_of_another_size_is_told(bench):
    with bench.path.open("r+b") as file:
        file.truncate(1000)
    fetch = bench.read(indices=np.arange(5), batch_size=5)
    for look in (fetch.check, lambda: fetch.table(0), lambda: fetch.indices(0)):
        with pytest.raises(KernelError) as caught:
            look()
        assert (caught.value.code, caught.value.pos) == (E_CHANGED, 1000)


def test_memory_goes_when_nothing_refers_to_it(bench):
    fetch = bench.read(indices=np.arange(COUNT), batch_size=100)
    assert fetch.held == bench.pool.used > sum(map(len, bench.packed))
    table, indices = fetch.table(1), fetch.indices(2)
    del fetch
    assert bytes(table.packed(3)) == bench.packed[103]
    assert indices[5] == 205
    del table, indices
    gc.collect()
    assert bench.pool.used == 0


def test_dropping_fetches_gives_them_up(bench):
    for i in range(50):
        fetch = bench.fetch(order=Order(COUNT, True, i), stride=10, count=COUNT, batch_size=10)
        if i % 3:
            fetch.submit()  # and a fetch that never was leaves nothing either
        del fetch
    assert bench.engine.stop(30)
    assert bench.pool.used == 0


def test_a_fetch_is_handed_over_once(bench):
    fetch = bench.read(indices=np.arange(5), batch_size=5)
    for again in (fetch.submit, lambda: fetch.run(0)):
        with pytest.raises(RuntimeError, match="once"):
            again()


def test_nothing_is_given_before_it_is_done(bench):
    fetch = bench.fetch(indices=np.arange(5), batch_size=5)
    for look in (fetch.check, lambda: fetch.table(0), lambda: fetch.indices(0)):
        with pytest.raises(RuntimeError, match="not done"):
            look()
    assert not fetch.done
    assert not fetch.wait(0)


def test_a_stopped_engine_gives_fetches_up(bench):
    assert bench.engine.stop(30)
    fetch = bench.read(indices=np.arange(5), batch_size=5)
    with pytest.raises(KernelError) as caught:
        fetch.table(0)
    assert caught.value.code == E_CANCELLED


def test_an_armed_engine_raises_its_descriptor(bench):
    for _ in range(50):
        fetch = bench.fetch(indices=np.arange(5), batch_size=5)
        fetch.submit()
        bench.engine.arm()
        while not fetch.done:
            assert select.select([bench.engine.fileno()], [], [], 30)[0]
            bench.engine.clear()
            bench.engine.arm()


@pytest.mark.parametrize(
    "bad", [{"indices": np.arange(0)}, {"batch_size": 0}, {"max_read": 0}, {"indices": None}]
)
def test_senseless_fetches_are_refused(bench, bad):
    with pytest.raises(ValueError, match="a fetch needs"):
        bench.fetch(**{"indices": np.arange(5), "batch_size": 5, **bad})


def test_descriptors_go_with_their_owners(tmp_path):
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    bench = Bench(tmp_path)
    bench.read(indices=np.arange(5), batch_size=5)
    assert bench.engine.stop(30)
    del bench
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_garbage_in_a_cycle_gives_its_memory_back(bench):
    fetch = bench.read(indices=np.arange(10), batch_size=10)
    cycle = [fetch]  # younger than the fetch, which the collector therefore comes to first
    cycle.append(cycle)
    assert bench.pool.used > 0
    del fetch, cycle
    gc.collect()
    assert bench.pool.used == 0
