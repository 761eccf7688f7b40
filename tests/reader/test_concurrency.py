"""Readers with many threads, replaced datasets, forked processes and interpreters that exit."""

import os
import random
import signal
import threading
import traceback
from pathlib import Path

import pytest
from datasets import damage, replace, some_samples, write

from ddfast import AsyncReader, MsgpackReader
from ddfast.reader import ShardedReader
from ddfast.testing import assert_same_sample

SAMPLES = some_samples(150)
BAD = [3, 77]
STRESS = Path(__file__).parent.parent / "stress" / "streams.py"
FORKS = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


def in_threads(*works):
    """Run functions at the same time; raise what the first to fail raised."""
    barrier, failures = threading.Barrier(len(works)), []

    def run(work):
        barrier.wait()
        try:
            work()
        except BaseException:
            failures.append(traceback.format_exc())

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- threads


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("damaged", [False, True])
def test_threads_share_a_fresh_reader(path, sharded, damaged):
    """All that a reader makes when it is first used is first used by several threads at once."""
    bad = BAD if damaged else []
    for index in bad:
        damage(path, index)
    good = [i for i in range(150) if i not in bad]
    for _ in range(5):
        reader = ShardedReader([path], on_error="skip") if sharded else MsgpackReader(path, on_error="skip")

        def single():
            for i in random.Random(1).sample(good, 40):
                assert_same_sample(reader.get(i), SAMPLES[i])  # noqa: B023

        def find():
            for i in range(0, 150, 5):
                assert reader.find_index(SAMPLES[i]["key"]) == i  # noqa: B023
                assert reader.find_key(i) == SAMPLES[i]["key"]  # noqa: B023

        def stream():
            got = [i for b in reader.batches(7, shuffle=True) for i in b.indices.tolist()]  # noqa: B023
            assert sorted(got) == good

        def iterate():
            assert [sample["label"] for sample in reader.iter(0)] == good  # noqa: B023
            assert [sample["label"] for sample in reader.slice(0)] == good  # noqa: B023

        with reader:
            in_threads(*[single, find, stream, iterate] * 2)
            assert reader.stats().skipped == 6 * len(bad)
            assert {b.index for b in reader.quarantine} == set(bad)


def test_closing_while_others_read_ends_them_or_lets_them_go_on(path):
    """A closed reader opens again when it is used: who reads meanwhile gets samples or a ClosedError."""
    from ddfast.errors import ClosedError

    reader = MsgpackReader(path)

    def read():
        for _ in range(20):
            try:
                assert sum(len(batch) for batch in reader.batches(7)) == 150
            except ClosedError:
                continue

    def close():
        for _ in range(30):
            reader.close()

    in_threads(read, close, read)
    reader.close()


# -- the dataset is replaced


def test_whatever_is_open_reads_a_replaced_dataset_to_its_end(path, tmp_path, arun):
    others = [{"key": f"other {i}", "label": -1} for i in range(400)]
    reader = MsgpackReader(path)
    iterator, batches = iter(reader), reader.batches(8, shuffle=True)
    got = [next(iterator)["label"]]
    delivered = next(batches)["label"].tolist()

    async def main():
        async with AsyncReader(path) as opened:
            stream, samples = opened.batches(8), opened.samples()
            labels = (await anext(stream))["label"].tolist()
            first = [(await anext(samples))["label"]]
            replace(path, write(tmp_path / "other.msgpack", others))
            labels += [i async for batch in stream for i in batch["label"].tolist()]
            assert labels == list(range(150))
            assert first + [sample["label"] async for sample in samples] == list(range(150))
            assert await opened.find_index(SAMPLES[9]["key"]) == 9

    arun(main())
    got += [sample["label"] for sample in iterator]
    delivered += [i for batch in batches for i in batch["label"].tolist()]
    assert got == list(range(150))
    assert sorted(delivered) == list(range(150))
    assert reader.find_index(SAMPLES[149]["key"]) == 149
    with MsgpackReader(path) as fresh:
        assert fresh.get(0) == others[0]


# -- forks


def child_reads(reader):
    """Fork; the child reads everything and must be done in time. Returns its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(30)  # a child that hangs is killed
    status = 1
    try:
        assert sum(len(batch) for batch in reader.batches(16)) == 150 - len(BAD)
        assert reader.find_index(SAMPLES[5]["key"]) == 5
        assert len(list(reader.iter(0))) == 150 - len(BAD)
        reader.close()
        status = 0
    finally:
        os._exit(status)
    return None


@FORKS
def test_processes_fork_at_any_moment_of_streams(path):
    for index in BAD:
        damage(path, index)
    reader = MsgpackReader(path, on_error="skip", prefetch_bytes=1 << 20)
    done, failures = threading.Event(), []

    def stream(seed):
        try:
            while not done.is_set():
                assert sum(len(b) for b in reader.batches(3, shuffle=True, seed=seed)) == 150 - len(BAD)
                reader.get_many([1, 2])
        except BaseException:
            failures.append(traceback.format_exc())

    threads = [threading.Thread(target=stream, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    statuses = [child_reads(reader) for _ in range(15)]
    done.set()
    for thread in threads:
        thread.join()
    reader.close()
    assert failures == []
    assert set(statuses) == {0}


# -- the interpreter ends

ENDS = {
    "blocking": "kept = [reader.batches(2, shuffle=True, seed=i) for i in range(5)]; [next(b) for b in kept]",
    "iteration": "kept = iter(reader); next(kept)",
    "daemon thread": """
import threading
started = threading.Event()
def work():
    while True:
        for batch in reader.batches(2):
            started.set()
threading.Thread(target=work, daemon=True).start()
started.wait()
""",
    "async": """
import asyncio
async def main():
    global kept
    opened = AsyncReader(path)
    await opened.__aenter__()
    kept = [opened, opened.batches(2), opened.samples()]
    await anext(kept[1]); await anext(kept[2])
asyncio.run(main())
""",
    "an exit in the loop": """
import asyncio
async def main():
    async with AsyncReader(path) as opened:
        async for batch in opened.batches(2):
            sys.exit(0)
asyncio.run(main())
""",
    "a recovery in progress": "kept = reader.batches(150); kept._stream.poll(); kept._stream.poll()",
}


@pytest.mark.parametrize("use", ENDS)
def test_an_interpreter_ends_without_a_word_while_streams_are_open(path, use, run_python):
    damage(path, 3)
    program = (
        "import sys\nfrom ddfast import AsyncReader, MsgpackReader\n"
        f"path = {str(path)!r}\nreader = MsgpackReader(path, on_error='skip')\n{ENDS[use]}\n"
    )
    if "async" in use or "loop" in use:
        program = program.replace("AsyncReader(path)", "AsyncReader(path, on_error='skip')")
    ended = run_python("-W", "error", "-c", program)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


# -- all together


def test_streams_at_random_leave_nothing_behind(run_python):
    done = run_python("-W", "error", str(STRESS), "--seconds", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left behind: 0 descriptors, 0 threads" in done.stdout
