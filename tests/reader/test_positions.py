"""The position of a reader: loops of one thread share it as in datadings; a second thread is refused."""

import asyncio
import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import datadings.reader
import pytest
from datasets import damage, write
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import SharedPositionError
from ddfast.reader import Cycler, ListReader, Repeater, ShardedReader, Shuffler

N = 40
SAMPLES = [{"key": f"{i:02}", "i": i} for i in range(N)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("positions") / "x.msgpack", SAMPLES)


READERS = {
    "msgpack": MsgpackReader,
    "skipping": lambda path: MsgpackReader(path, on_error="skip"),
    "sharded": lambda path: ShardedReader([path]),
    "list": lambda path: ListReader([dict(sample) for sample in SAMPLES]),
}


@pytest.fixture(params=list(READERS))
def reader(request, path):
    with READERS[request.param](path) as reader:
        yield reader


def numbers(samples):
    return [sample["i"] for sample in samples]


# -- one thread: as in datadings

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("new"), st.sampled_from([None, None, 0, 7])),
        st.tuples(st.just("step"), st.integers(0, 3)),
        st.tuples(st.just("rest"), st.integers(0, 3)),
        st.tuples(st.just("drop"), st.integers(0, 3)),
        st.tuples(st.just("next"), st.none()),
        st.tuples(st.just("seek"), st.integers(0, N - 1)),
    ),
    max_size=12,
)


def follow(reader, steps):
    """What a program sees that uses several iterators in turn."""
    iterators, seen = [], []
    for step, argument in steps:
        if step == "new":
            iterators.append(reader.iter(argument))
        elif step == "next":
            seen.append(numbers([sample for sample in [next(reader, None)] if sample]))
        elif step == "seek":
            reader.seek(argument)
        elif argument < len(iterators):
            iterator = iterators.pop(argument) if step == "drop" else iterators[argument]
            seen.append(numbers(islice(iterator, {"step": 1, "rest": None, "drop": 0}[step])))
    return seen


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, name=st.sampled_from(list(READERS)))
def test_iterators_in_turn_see_what_those_of_datadings_see(path, steps, name):
    with READERS[name](path) as ours, datadings.reader.MsgpackReader(path) as theirs:
        assert follow(ours, steps) == follow(theirs, steps)


def test_a_peek_moves_the_position_and_pairs_share_the_samples(reader):
    for _ in reader:
        break
    assert numbers(reader) == list(range(1, N))
    assert [(a["i"], b["i"]) for a, b in zip(reader, reader, strict=False)][:3] == [(0, 1), (1, 2), (2, 3)]


# -- several threads


def in_thread(work):
    """The result of a function in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


REFUSED = r"the thread '.*' cannot use the position, because another thread is in a loop .* Call `iter\(0\)`"


@pytest.mark.parametrize(
    "use",
    [
        list,
        next,
        lambda reader: reader.rawnext(),
        lambda reader: reader.seek(3),
        lambda reader: list(reader.iter()),
    ],
)
def test_a_second_thread_is_refused_while_a_loop_runs(reader, use):
    loop = iter(reader)
    got = [next(loop)["i"]]
    with pytest.raises(SharedPositionError, match=REFUSED) as caught:
        in_thread(lambda: use(reader))
    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value).startswith(repr(reader))
    assert got + numbers(loop) == list(range(N))
    reader.seek(0)
    in_thread(lambda: use(reader))  # the loop has ended


def test_a_loop_that_was_left_lets_other_threads_continue(reader):
    for _ in reader:
        break
    assert in_thread(lambda: numbers(reader)) == list(range(1, N))
    kept = in_thread(lambda: (loop := iter(reader), next(loop))[0])  # of a thread that has ended
    assert next(reader)["i"] == 1
    assert kept is not None


def test_loops_of_threads_are_complete_or_refused(reader):
    outcomes = []
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(20):
            try:
                outcomes.append(numbers(reader))
            except SharedPositionError:
                outcomes.append("refused")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 160
    assert all(outcome in ("refused", list(range(N))) for outcome in outcomes)
    assert numbers(reader) == list(range(N))


@pytest.mark.parametrize(
    "whole",
    [
        lambda reader: numbers(reader.iter(0)),
        lambda reader: numbers(reader.slice(0)),
        lambda reader: numbers(copy.copy(reader)),
        lambda reader: numbers(pickle.loads(pickle.dumps(reader))),
        lambda reader: numbers(sample for batch in reader.batches(7) for sample in batch),
        lambda reader: numbers(map(reader.get, range(N))),
    ],
)
def test_what_has_no_position_is_complete_in_every_thread(reader, whole):
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(whole, reader) for _ in range(20)]
        assert [result.result() for result in results] == [list(range(N))] * 20


def test_samples_with_a_start_do_not_move_the_position_of_another_threads_loop(path):
    damaged = write(path.parent / "damaged.msgpack", SAMPLES)
    damage(damaged, 3)
    with MsgpackReader(damaged, on_error="skip") as reader:
        good = [i for i in range(N) if i != 3]
        loop = iter(reader)
        got = [next(loop)["i"]]
        assert in_thread(lambda: numbers(reader.iter(0))) == good
        assert got + numbers(loop) == good
        assert numbers(reader) == good


def test_threads_that_call_next_get_every_sample_once_or_are_refused(path):
    with MsgpackReader(path) as reader:
        seen, barrier = [], threading.Barrier(4)

        def work():
            barrier.wait()
            while True:
                try:
                    seen.append(next(reader)["i"])
                except SharedPositionError:
                    continue
                except StopIteration:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == list(range(N))


@pytest.mark.parametrize("augment", [Shuffler, Cycler, lambda reader: Repeater(reader, 2)])
def test_augments_refuse_a_second_thread(path, augment):
    with augment(MsgpackReader(path)) as reader:
        loop = iter(reader)
        next(loop)
        with pytest.raises(SharedPositionError, match=REFUSED):
            in_thread(lambda: next(iter(reader)))
        with pytest.raises(SharedPositionError, match=REFUSED):
            in_thread(lambda: reader.seek(1))
        del loop
        in_thread(lambda: next(iter(reader)))


def test_a_copy_of_an_augment_has_its_own_position(path):
    with Shuffler(MsgpackReader(path)) as reader:
        other, loop = copy.copy(reader), iter(reader)
        first = next(loop)["i"]
        assert in_thread(lambda: next(iter(other))["i"]) == first


# -- iterators over batches


def slow(sample):
    started.set()
    go_on.wait(10)


started, go_on = threading.Event(), threading.Event()


def test_two_threads_in_one_iterator_over_batches_are_refused():
    started.clear()
    go_on.clear()
    batches = ListReader([dict(sample) for sample in SAMPLES], convertfun=slow).batches(10)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(next, batches)
        assert started.wait(10)
        with pytest.raises(
            SharedPositionError, match="two threads take batches of one iterator at the same time"
        ):
            next(batches)
        go_on.set()
        assert len(first.result()) == 10
    assert numbers(sample for batch in batches for sample in batch) == list(range(10, N))


def test_threads_in_one_iterator_over_batches_get_every_batch_once_or_are_refused(path):
    with MsgpackReader(path) as reader:
        batches, seen, barrier = reader.batches(1), [], threading.Barrier(4)

        def work():
            barrier.wait()
            while True:
                try:
                    seen.extend(next(batches)["i"].tolist())
                except SharedPositionError:
                    continue
                except StopIteration:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == list(range(N))


class Slowly:
    """A stream of batches, none of which is ready at once."""

    def __init__(self, batches):
        self._batches = batches

    async def __anext__(self):
        await asyncio.sleep(0)
        return await anext(self._batches)


def test_two_tasks_in_one_stream_of_samples_are_refused(path, arun):
    async def main():
        async with AsyncReader(path) as reader:
            stream = reader.samples()
            stream._batches = Slowly(stream._batches)
            first, second = await asyncio.gather(anext(stream), anext(stream), return_exceptions=True)
            assert isinstance(second, SharedPositionError)
            assert "two tasks take samples of one stream at the same time" in str(second)
            assert [first["i"]] + [sample["i"] async for sample in stream] == list(range(N))

    arun(main())
