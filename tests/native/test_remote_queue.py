"""Remote shards: what an outside reader fills in is what a fetch gives, and what it cannot fill in is told."""

import errno
import gc
import os
import select
import threading
import time

import msgpack
import numpy as np
import pytest
from queue_readers import QueueReader

from ddfast._native.arena import Pool
from ddfast._native.decode import Decoder
from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.remote_queue import RemotePiece, RemoteQueue
from ddfast._native.samples import Samples
from ddfast._native.shards import Shards
from ddfast._native.status import E_CANCELLED, E_CHANGED, E_CHECKSUM
from ddfast._native.xxh3 import ChecksumTable, checksum
from ddfast.errors import ClosedError, KernelError

COUNT = 300


class Bench:
    """Remote data files, their tables, and an engine."""

    def __init__(self, files=1, verified=False, broken=None):
        rng = np.random.default_rng(1)
        self.packed = [
            msgpack.packb({"label": i, "data": rng.bytes(int(size))})
            for i, size in enumerate(rng.integers(0, 20_000, COUNT * files))
        ]
        parts = [self.packed[i * COUNT : (i + 1) * COUNT] for i in range(files)]
        self.files = [b"".join(part) for part in parts]
        tables = [offset_table(part) for part in parts]
        sums = [checksum_table(part) if verified else None for part in parts]
        if broken is not None:
            stop = tables[0].span(broken)[1]
            content = bytearray(self.files[0])
            content[stop - 1] ^= 1
            self.files[0] = bytes(content)
        if files == 1:
            self.shards = Shards.one(File.remote(len(self.files[0])), tables[0], sums[0])
        else:
            self.shards = Shards(
                [(None, t, COUNT, t.file_size, 0, s) for t, s in zip(tables, sums, strict=True)]
            )
        self.pool = Pool(64 << 20)
        self.engine = Engine(8)

    def fetch(self, **kwargs):
        kwargs = {"batch_size": 50, "max_gap": 4096, "max_read": 1 << 16, **kwargs}
        return Fetch(self.engine, self.shards, self.pool, **kwargs)

    def some(self, count=COUNT):
        """A fetch that is submitted and planned."""
        fetch = self.fetch(indices=np.arange(count))
        fetch.submit()
        return fetch


def offset_table(packed):
    ends = np.concatenate([[0], np.cumsum([len(p) for p in packed])])
    return OffsetTable(ends.astype(">u8").tobytes(), int(ends[-1]))


def checksum_table(packed):
    return ChecksumTable(np.array([checksum(p) for p in packed], ">u8").tobytes())


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    assert bench.engine.stop(30)


def raw(fetch, batch):
    table = fetch.table(batch)
    return [bytes(table.packed(i)) for i in range(len(table))]


def all_of(fetch):
    return [sample for batch in range(len(fetch)) for sample in raw(fetch, batch)]


def take(queue, count):
    """Pieces that are to come."""
    pieces, deadline = [], time.monotonic() + 30
    while len(pieces) < count and time.monotonic() < deadline:
        pieces += queue.take(count - len(pieces))
    assert len(pieces) == count
    return pieces


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("max_gap", [0, 1 << 20])
@pytest.mark.parametrize("way", ["submit", "run"])
def test_samples_come_as_the_remote_files_have_them(files, max_gap, way):
    bench = Bench(files)
    wanted = np.random.default_rng(2).integers(0, COUNT * files, 2 * COUNT)
    with QueueReader(bench.engine, bench.files):
        fetch = bench.fetch(indices=wanted, max_gap=max_gap)
        _ = fetch.submit() if way == "submit" else fetch.run(0)
        assert fetch.wait(30)
    assert all_of(fetch) == [bench.packed[i] for i in wanted]
    assert bench.engine.stop(30)


def test_many_fetches_at_once_come_right_from_a_slow_reader(bench):
    with QueueReader(bench.engine, bench.files, delay=0.001):
        wanted = [np.random.default_rng(i).integers(0, COUNT, 60) for i in range(12)]
        fetches = [bench.fetch(indices=indices) for indices in wanted]
        for fetch in fetches:
            fetch.submit()
        for fetch, indices in zip(fetches, wanted, strict=True):
            assert fetch.wait(30)
            assert all_of(fetch) == [bench.packed[i] for i in indices]


def test_pieces_are_cut_at_the_largest_read_and_merged_across_the_gap(bench):
    queue = RemoteQueue(bench.engine)
    indices = np.arange(0, COUNT, 2)
    fetch = bench.fetch(indices=indices, max_gap=1 << 20, max_read=100_000)
    fetch.submit()
    size = len(bench.files[0])
    pieces = take(queue, 1)
    time.sleep(0.01)
    pieces += queue.take(1000)
    assert all(len(piece) == piece.stop - piece.start <= 100_000 for piece in pieces)
    assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    assert pieces[0].start == 0
    assert size - 20_100 < pieces[-1].stop <= size


def test_a_failed_piece_fails_its_fetch_with_errno_and_reason(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some()
    pieces = take(queue, 3)
    pieces[2].fail(errno.EHOSTUNREACH, "höst\0 unreachable" + "!" * 5000)
    pieces.clear()
    assert fetch.wait(30)
    with pytest.raises(OSError, match="No route to host") as caught:
        fetch.check()
    assert caught.value.errno == errno.EHOSTUNREACH
    assert caught.value.reason.startswith("höst unreachable!!")
    assert len(caught.value.reason) == 999
    assert (caught.value.item, caught.value.pos) == (0, 2 << 16)


def test_a_piece_may_fail_with_a_status_of_the_kernels(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some(1)
    take(queue, 1)[0].fail(E_CHANGED, "another version")
    assert fetch.wait(30)
    with pytest.raises(KernelError, match="another version") as caught:
        fetch.check()
    assert caught.value.code == E_CHANGED


def test_a_dropped_piece_fails_its_fetch(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some(1)
    take(queue, 1)
    assert fetch.wait(30)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)) as caught:
        fetch.check()
    assert "did not complete" in caught.value.reason


def test_a_piece_is_ended_once(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some(1)
    piece = take(queue, 1)[0]
    memoryview(piece)[:] = bench.packed[0]
    assert not piece.ended
    assert not piece.cancelled
    with pytest.raises(ValueError, match="must not be 0"):
        piece.fail(0, "")
    piece.end()
    assert piece.ended
    assert piece.cancelled
    with pytest.raises(RuntimeError, match="ended already"):
        piece.end()
    with pytest.raises(RuntimeError, match="ended already"):
        piece.fail(5, "")
    with pytest.raises(BufferError, match="ended"):
        memoryview(piece)
    assert fetch.wait(30)
    assert all_of(fetch) == bench.packed[:1]


def test_pieces_come_from_a_queue_only():
    with pytest.raises(TypeError, match="taken from a RemoteQueue"):
        RemotePiece()


def test_memory_outlives_fetch_engine_and_queue_while_a_view_lives(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some(1)
    piece = take(queue, 1)[0]
    view = memoryview(piece)
    piece.end()
    assert fetch.wait(30)
    del fetch, queue, piece
    gc.collect()
    assert bench.engine.stop(30)
    assert bench.pool.used > 0
    view[:] = b"x" * len(view)
    view.release()
    del view
    gc.collect()
    assert bench.pool.used == 0


def test_a_dropped_fetch_gives_its_pieces_up_and_calls(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some()
    pieces = take(queue, 2)
    queue.arm()
    assert not select.select([queue.fd], [], [], 0)[0]
    del fetch
    assert select.select([queue.fd], [], [], 30)[0]
    queue.clear()
    assert all(piece.cancelled and not piece.ended for piece in pieces)
    assert queue.take(100) == []
    assert bench.pool.used > 0
    pieces.pop().end()
    pieces.pop().fail(errno.EIO, "whatever")
    assert bench.pool.used == 0


def test_an_engine_stops_without_waiting_for_pieces(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some()
    pieces = take(queue, 2)
    assert bench.engine.stop(30)
    assert bench.engine.threads == 0
    assert not fetch.done
    assert all(piece.cancelled for piece in pieces)
    assert queue.take(1) == []
    for piece in pieces:
        memoryview(piece)[:] = bytes(len(piece))
        piece.end()
    assert fetch.wait(0)
    with pytest.raises(KernelError) as caught:
        fetch.check()
    assert caught.value.code == E_CANCELLED


def test_everything_may_be_dropped_in_any_order():
    for order in range(6):
        bench = Bench()
        queue = RemoteQueue(bench.engine)
        fetch = bench.some()
        pieces = take(queue, 3)
        held = {"queue": queue, "fetch": fetch, "pieces": pieces}
        pool = bench.pool
        del bench, queue, fetch, pieces
        for name in [
            ("queue", "fetch", "pieces"),
            ("pieces", "queue", "fetch"),
            ("fetch", "pieces", "queue"),
        ][order % 3]:
            if order >= 3:
                gc.collect()
            del held[name]
        assert pool.used == 0


def test_a_closed_queue_cancels_and_refuses(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some()
    take(queue, 1)
    queue.close()
    queue.close()
    assert fetch.wait(30)
    assert queue.take(1) == []
    late = bench.some()
    assert late.wait(30)
    with pytest.raises(OSError, match=os.strerror(errno.ENOTSUP)):
        late.check()


def test_an_engine_has_one_queue_at_a_time(bench):
    queue = RemoteQueue(bench.engine)
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        RemoteQueue(bench.engine)
    queue.close()
    with QueueReader(bench.engine, bench.files):
        fetch = bench.some()
        assert fetch.wait(30)
        assert all_of(fetch) == bench.packed


@pytest.mark.parametrize("files", [1, 2])
def test_without_a_queue_remote_samples_cannot_be_read(files):
    bench = Bench(files)
    fetch = bench.some()
    assert fetch.wait(30)
    with pytest.raises(OSError, match=os.strerror(errno.ENOTSUP)) as caught:
        fetch.check()
    assert "no reader of remote data" in caught.value.reason
    samples = Samples(bench.shards, Decoder())
    assert not samples.is_ready(0)
    assert samples.fit(0, COUNT, 1) == 1
    for read in (samples.get, samples.raw):
        with pytest.raises(OSError, match=os.strerror(errno.ENOTSUP)):
            read(0)
    assert bench.engine.stop(30)


def test_a_remote_file_has_a_size_and_never_changes():
    file = File.remote(100)
    assert file.size == 100
    file.check_unchanged()
    with pytest.raises(OSError, match=os.strerror(errno.ENOTSUP)):
        file.read(0, 10)
    with pytest.raises(ValueError, match="outside of the file"):
        file.read(0, 101)


def test_shards_are_remote_all_or_none(tmp_path):
    table = offset_table([b"a"])
    with pytest.raises(ValueError, match="remote"):
        Shards([(None, table, 1, 1, 0, None), (str(tmp_path / "x"), table, 1, 1, 0, None)])
    with pytest.raises(ValueError, match="remote"):
        Shards([(None, str(tmp_path / "x.offsets"), 1, 1, 0, None)])


@pytest.mark.parametrize("files", [1, 2])
def test_samples_that_came_from_outside_are_verified(files):
    bench = Bench(files, verified=True, broken=70)
    with QueueReader(bench.engine, bench.files):
        fetch = bench.fetch(indices=np.arange(COUNT * files), max_read=5000)
        fetch.submit()
        assert fetch.wait(30)
    assert raw(fetch, 0) == bench.packed[:50]
    assert raw(fetch, 2) == bench.packed[100:150]
    with pytest.raises(KernelError) as caught:
        fetch.table(1)
    assert (caught.value.code, caught.value.item) == (E_CHECKSUM, 20)
    assert bench.engine.stop(30)


def test_nothing_is_lost_with_a_reader_that_fails_and_drops_at_random(bench):
    numbers = np.random.default_rng(5)

    def deal(piece):
        chance = numbers.random()
        if chance < 0.02:
            piece.fail(errno.EIO, "told to")
        return chance < 0.04  # those in between are dropped

    with QueueReader(bench.engine, bench.files, deal=deal):
        outcomes = set()
        for round_ in range(40):
            wanted = np.random.default_rng(round_).integers(0, COUNT, 40)
            fetches = [bench.fetch(indices=wanted, max_read=20_000) for _ in range(3)]
            for fetch in fetches:
                fetch.submit()
            del fetches[1]
            del fetch
            for fetch in fetches:
                assert fetch.wait(30)
                try:
                    fetch.check()
                except OSError as error:
                    outcomes.add(error.reason[:7])
                else:
                    outcomes.add("")
                    assert all_of(fetch) == [bench.packed[i] for i in wanted]
    assert outcomes == {"", "told to", "the rea"}


def test_closing_the_reader_ends_every_fetch(bench):
    queue_reader = QueueReader(bench.engine, bench.files, delay=0.01)
    fetches = [bench.some() for _ in range(5)]
    waiting = threading.Thread(target=fetches[-1].wait, args=(30,))
    waiting.start()
    queue_reader.close()
    waiting.join(30)
    assert all(fetch.wait(30) for fetch in fetches)


def test_a_forked_child_refuses_and_lets_go_quietly(bench):
    queue = RemoteQueue(bench.engine)
    fetch = bench.some()
    pieces = take(queue, 2)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = refusals_in_child(bench.engine, queue, pieces)
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    for piece in pieces + queue.take(100):
        memoryview(piece)[:] = bench.files[0][piece.start : piece.stop]
        piece.end()
    assert fetch.wait(30)
    assert all_of(fetch) == bench.packed


def refusals_in_child(engine, queue, pieces):
    """0 if everything is refused that could hang or harm."""
    first, second = pieces
    pieces.clear()
    for call, *arguments in [(first.end,), (second.fail, 5, ""), (queue.take, 1), (RemoteQueue, engine)]:
        try:
            call(*arguments)
        except ClosedError:
            continue
        return 2
    if not first.cancelled:
        return 3
    queue.close()
    del queue, first, second, call
    gc.collect()
    return 0
