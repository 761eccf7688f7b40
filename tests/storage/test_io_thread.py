"""The thread that reads from remote storage, with a queue and storages in memory."""

from __future__ import annotations

import errno
import gc
import os
import random
import threading
import time
from concurrent.futures import CancelledError

import pytest
from transfer_doubles import URL, Memory, Piece, RemoteQueue, passing, read_span

from ddfast.errors import ClosedError, StorageDeniedError, StorageTimeoutError
from ddfast.storage.transfer.io_thread import IOThread
from ddfast.storage.transfer.retry import RetryPolicy
from ddfast.storage.transfer.scheduler import Scheduler

DATA = random.Random(1).randbytes(1 << 20)
QUICK = RetryPolicy(timeout=5.0, attempt_timeout=1.0, retries=8, backoff=0.0)


@pytest.fixture
def queue():
    queue = RemoteQueue()
    yield queue
    queue.free()


@pytest.fixture(autouse=True)
def _nothing_is_left():
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    yield
    assert threading.active_count() <= threads  # those of other tests may end
    assert len(os.listdir("/proc/self/fd")) <= files + 2  # noqa: PTH208  the queue's own, which is freed later


def pieces(n: int, size: int = 1000, step: int = 1000, shard: int = 0) -> list[Piece]:
    return [Piece(shard, at * step, at * step + size) for at in range(n)]


def ended(wanted: list[Piece]) -> list[Piece]:
    assert all(piece.ended.wait(30) for piece in wanted)
    return wanted


def check(wanted: list[Piece], data: bytes = DATA) -> None:
    for piece in ended(wanted):
        assert piece.failure is None
        assert piece == data[piece.start : piece.stop]


def test_all_pieces_of_a_feed_are_filled(queue):
    wanted = pieces(1000)
    random.Random(2).shuffle(wanted)
    with IOThread([Memory(DATA, lambda number: 0.001)], queue, QUICK) as io_thread:
        io_thread.start()
        for at in range(0, 1000, 100):
            queue.put(*wanted[at : at + 100])
            time.sleep(0.002)
        check(wanted)
        assert io_thread.counters.bytes >= 1_000_000  # and the gaps between merged pieces
        assert io_thread.counters.in_flight == 0
        assert io_thread.counters.waited > 0


def test_pieces_go_to_the_storage_of_their_shard(queue):
    other = bytes(reversed(DATA))
    with IOThread([Memory(DATA), Memory(other)], queue, QUICK) as io_thread:
        io_thread.start()
        first, second = pieces(20), pieces(20, shard=1)
        queue.put(*first, *second)
        check(first)
        check(second, other)


def test_many_reads_are_in_flight_and_no_more_than_the_most(queue):
    storage = Memory(DATA, lambda number: 0.005)
    with IOThread([storage], queue, QUICK, most=20) as io_thread:
        io_thread.start()
        wanted = pieces(1000, step=1001, size=500)
        random.Random(2).shuffle(wanted)
        queue.put(*wanted)
        check(wanted)
        assert 16 <= storage.at_work_max <= 20 + io_thread.counters.hedged
        assert io_thread.counters.in_flight_max <= 20


def test_no_more_bytes_than_the_budget_are_in_flight_but_one_request_is(queue):
    storage = Memory(DATA, lambda number: 0.002)
    with IOThread([storage], queue, RetryPolicy(hedge=0), budget=2500) as io_thread:
        io_thread.start()
        wanted = [*pieces(50, step=20_000), Piece(0, 0, 100_000)]
        queue.put(*wanted)
        check(wanted)
        assert storage.at_work_max == 2


def test_pieces_that_must_wait_go_together(queue):
    storage = Memory(DATA, lambda number: 0.002)
    with IOThread([storage], queue, QUICK) as io_thread:
        wanted = pieces(400)
        queue.put(*wanted)
        io_thread.start()
        check(wanted)
        assert io_thread.counters.merged > 200
        assert (
            io_thread.counters.requests
            == len(storage.asked)
            == 400 - io_thread.counters.merged + io_thread.counters.hedged
        )


def test_what_is_at_hand_takes_no_request_and_holds_nothing_up(queue):
    class Near(Memory):
        def read_at_hand(self, spans, into):
            if spans[0][0] == 0:
                return False
            for (start, stop), buffer in zip(spans, into, strict=True):
                buffer[:] = DATA[start:stop]
            return True

    with IOThread([Near(DATA, lambda number: 0.001)], queue, QUICK) as io_thread:
        io_thread.start()
        wanted = pieces(400)
        queue.put(*wanted)
        check(wanted)
        assert io_thread.counters.requests == 1 + io_thread.counters.hedged
        assert io_thread.counters.in_flight == 0


def test_faults_that_pass_are_survived(queue):
    draw = random.Random(5)

    def deal(number):
        if draw.random() < 0.5:
            raise passing(throttled=draw.random() < 0.1)
        return 0.0005

    with IOThread([Memory(DATA, deal)], queue, RetryPolicy(retries=30, backoff=0.001)) as io_thread:
        io_thread.start()
        wanted = pieces(500, step=1500, size=700)
        random.Random(2).shuffle(wanted)
        queue.put(*wanted)
        check(wanted)
        assert io_thread.counters.retries > 5
        assert io_thread.counters.failed == 0


def test_a_fault_that_does_not_pass_fails_the_piece_and_its_error_is_found_by_the_reason(queue):
    denied = StorageDeniedError(f"{URL} must not be read", url=URL)

    def deal(number):
        raise denied

    with IOThread([Memory(DATA, deal)], queue, QUICK) as io_thread:
        io_thread.start()
        wanted = pieces(1)
        queue.put(*wanted)
        code, reason = ended(wanted)[0].failure
        assert (code, io_thread.state.errors.get(reason)) == (errno.EACCES, denied)
        assert io_thread.state.errors.get("another") is None
        assert io_thread.counters.failed == 1


def test_an_error_of_a_storage_itself_fails_the_piece(queue):
    def deal(number):
        raise ZeroDivisionError

    with IOThread([Memory(DATA, deal)], queue, QUICK) as io_thread:
        io_thread.start()
        wanted = pieces(1)
        queue.put(*wanted)
        assert ended(wanted)[0].failure == (errno.EIO, "ZeroDivisionError")


def test_pieces_given_up_before_they_are_read_are_dropped(queue):
    storage = Memory(DATA)
    with IOThread([storage], queue, QUICK) as io_thread:
        wanted = pieces(20, step=50_000)
        for piece in wanted:
            piece.cancelled = True
        queue.put(*wanted)
        io_thread.start()
        assert all(piece.failure[0] == errno.ECANCELED for piece in ended(wanted))
        assert storage.asked == []


def test_reads_under_way_are_ended_when_nobody_waits_for_them(queue):
    storage = Memory(DATA, lambda number: 1000.0)
    with IOThread([storage], queue, RetryPolicy(timeout=1000.0, attempt_timeout=1000.0)) as io_thread:
        io_thread.start()
        wanted = pieces(5, step=50_000)
        queue.put(*wanted)
        while len(storage.asked) < 5:
            time.sleep(0.01)
        for piece in wanted:
            piece.cancelled = True
        assert all(piece.failure[0] == errno.ECANCELED for piece in ended(wanted))
        assert storage.cancelled == 5
        storage.deal = lambda number: 0.0
        more = pieces(50)
        queue.put(*more)
        check(more)


def test_pieces_that_wait_are_given_up_though_a_dead_server_holds_all_that_may_be_in_flight(queue):
    storage = Memory(DATA, lambda number: 1000.0)
    with IOThread([storage], queue, RetryPolicy(timeout=1000.0, attempt_timeout=1000.0), most=4) as io_thread:
        io_thread.start()
        wanted = pieces(20, step=50_000)
        queue.put(*wanted)
        while len(storage.asked) < 4:
            time.sleep(0.01)
        for piece in wanted[4:]:
            piece.cancelled = True
        assert all(piece.failure[0] == errno.ECANCELED for piece in ended(wanted[4:]))
        assert storage.cancelled == 0


def test_closing_ends_reads_of_a_dead_server_at_once(queue):
    storage = Memory(DATA, lambda number: 1000.0)
    io_thread = IOThread([storage], queue, RetryPolicy(timeout=1000.0, attempt_timeout=1000.0))
    io_thread.start()
    wanted = pieces(300, step=3000)
    queue.put(*wanted)
    while not storage.asked:
        time.sleep(0.01)
    assert io_thread.close(10.0)
    assert storage.at_work == 0
    assert queue.closed
    taken = [piece for piece in wanted if piece not in queue.pieces]
    assert len(taken) >= 8
    assert all(piece.failure[0] == errno.ECANCELED for piece in taken)
    assert io_thread.close()


def test_a_closed_agent_reads_nothing(queue):
    io_thread = IOThread([Memory(DATA)], queue, QUICK)
    assert io_thread.close()
    assert queue.closed
    for use in (io_thread.start, lambda: read_span(io_thread, Memory(DATA), (0, 1))):
        with pytest.raises(ClosedError, match="the reader is closed"):
            use()


def test_a_dropped_agent_ends_its_thread(queue):
    io_thread = IOThread([Memory(DATA)], queue, QUICK)
    io_thread.start()
    del io_thread
    gc.collect()
    assert queue.closed


def test_a_single_read_waits_for_no_other(queue):
    storage = Memory(DATA, lambda number: 1000.0 if number <= 8 else 0.0)
    with IOThread([storage], queue, RetryPolicy(timeout=1000.0, attempt_timeout=1000.0)) as io_thread:
        io_thread.start()
        queue.put(*pieces(100, step=10_000))
        while len(storage.asked) < 8:
            time.sleep(0.01)
        assert read_span(io_thread, storage, (5, 500)) == DATA[5:500]


def test_a_single_read_of_a_dead_server_ends_in_time():
    io_thread = IOThread(policy=RetryPolicy(timeout=0.2, attempt_timeout=0.1))
    with (
        io_thread,
        pytest.raises(StorageTimeoutError, match=r"bytes 5 to 500 did not arrive within 0\.2 s and"),
    ):
        read_span(io_thread, Memory(DATA, lambda number: 1000.0), (5, 500))


def test_a_storage_that_blocks_the_loop_is_told_from_a_dead_server(monkeypatch):
    monkeypatch.setattr("ddfast.storage.transfer.io_thread.SLACK", 0.1)

    def block(number):
        time.sleep(1.0)
        return 0.0

    io_thread = IOThread(policy=RetryPolicy(timeout=0.1))
    with io_thread, pytest.raises(StorageTimeoutError, match="blocks the event loop"):
        read_span(io_thread, Memory(DATA, block), (5, 500))


def test_a_read_that_is_under_way_when_the_agent_is_closed_is_cancelled():
    storage = Memory(DATA, lambda number: 1000.0)
    io_thread = IOThread()
    future = io_thread.submit(io_thread.read(storage, (0, 10), memoryview(bytearray(10))))
    while not storage.asked:
        time.sleep(0.01)
    assert io_thread.close(10.0)
    with pytest.raises(CancelledError):
        future.result(10)


@pytest.mark.parametrize("times", [0, 1, 20])
def test_a_whole_object_is_fetched_in_few_requests(times):
    storage = Memory(DATA * times)
    with IOThread() as io_thread:
        whole = io_thread.for_each(io_thread.read_all, [storage])[0]
    assert whole.readonly
    assert whole == DATA * times
    assert len(storage.asked) == {0: 1, 1: 2, 20: 4}[times]


def test_an_object_of_which_a_part_cannot_be_had_is_not_fetched():
    def deal(number):
        if number == 3:
            raise StorageDeniedError("no", url=URL)
        return 1000.0 if number > 1 else 0.0

    storage = Memory(DATA * 20, deal)
    with IOThread() as io_thread, pytest.raises(StorageDeniedError, match="no"):
        io_thread.for_each(io_thread.read_all, [storage])[0]
    assert storage.at_work == 0


def test_an_agent_is_not_used_after_a_fork(run_python):
    result = run_python("-W", "ignore", "-c", FORKED)
    assert (result.stdout, result.stderr, result.returncode) == ("True\n", "", 0)


FORKED = f"""
import os, sys
sys.path.insert(0, {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))!r})
from transfer_doubles import Memory, read_span
from ddfast.errors import ClosedError
from ddfast.storage.transfer.io_thread import IOThread
io_thread, storage = IOThread(), Memory(bytes(100))
read_span(io_thread, storage, (0, 10))
child = os.fork()
if child == 0:
    try:
        read_span(io_thread, storage, (0, 10))
    except ClosedError as error:
        print("opened by process" in str(error), flush=True)
    sys.exit(0 if io_thread.close() else 1)
assert os.waitpid(child, 0)[1] == 0
assert read_span(io_thread, storage, (0, 10)) == bytes(10)
"""  # noqa: PTH100, PTH120


def test_a_program_that_closes_nothing_ends(run_python):
    program = (
        FORKED.partition("child =")[0]
        + "io_thread.submit(io_thread.read(storage, (0, 1), memoryview(bytearray(1))))"
    )
    result = run_python("-c", program)
    assert (result.stderr, result.returncode) == ("", 0)


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="budget is 0 bytes"):
        IOThread(budget=0)


def test_a_budget_that_is_used_up_makes_no_needless_tasks(queue, monkeypatch):
    storage = Memory(DATA, lambda number: 0.001)
    begun = []
    work = Scheduler._work
    monkeypatch.setattr(Scheduler, "_work", lambda self, first: begun.append(first) or work(self, first))
    with IOThread([storage], queue, RetryPolicy(hedge=0), budget=2500) as io_thread:
        io_thread.start()
        wanted = pieces(50, step=20_000)
        queue.put(*wanted)
        check(wanted)
        assert len(begun) <= 50


def test_an_agent_closed_as_its_reads_begin_leaves_no_piece_behind(queue):
    for _ in range(20):
        more = RemoteQueue()
        io_thread = IOThread([Memory(DATA, lambda number: 0.001)], more, QUICK)
        wanted = pieces(100, step=3000)
        more.put(*wanted)
        io_thread.start()
        assert io_thread.close(30)
        waiting = {piece.start for piece in more.pieces}
        assert all(piece.ended.is_set() for piece in wanted if piece.start not in waiting)
        more.free()
