"""A generator in a thread or a process gives what it would give here, and ends with its consumer."""

from __future__ import annotations

import contextlib
import functools
import gc
import multiprocessing
import os
import pickle
import re
import signal
import sys
import threading
import time
import weakref
from pathlib import Path
from queue import Queue

import datadings.tools as reference
import numpy as np
import pytest

from ddfast.errors import BackgroundError
from ddfast.tools import (
    SentinelEnd,
    SentinelError,
    Yielder,
    YielderProc,
    background_process,
    background_thread,
    yield_process,
    yield_threaded,
)

# From Python 3.12 on, forking a process that has threads warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

BOTH = pytest.mark.parametrize("run", [yield_threaded, yield_process])


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """No thread, process or file outlives a test."""
    before = open_files()
    yield
    assert not multiprocessing.active_children()
    assert not threads()
    assert open_files() <= before


def threads():
    return {thread for thread in threading.enumerate() if isinstance(thread, Yielder)}


def open_files():
    return len(os.listdir("/dev/fd"))  # noqa: PTH208


def log(path: Path, word: str) -> None:
    with path.open("a") as file:
        file.write(f"{word} {os.getpid()} {threading.get_ident()}\n")


def numbers(path: Path, n: int = 10**9, failing_at: int = -1):
    """Numbers; tells the file when it starts, at each number and when it is closed."""
    log(path, "start")
    try:
        for i in range(n):
            if i == failing_at:
                raise LookupError("failed", i)
            log(path, str(i))
            yield i
    finally:
        log(path, "close")


def words(path):
    return [line.split()[0] for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


class UnpicklableError(Exception):
    def __init__(self, reason, code):
        super().__init__(f"{reason}: {code}")


VALUES = [None, 1, "a", {"b": [1.5]}, b"c" * 1_000_000, (), SentinelEnd]


@BOTH
@pytest.mark.parametrize("n", [0, 1, 3, 4, 100])
def test_objects_come_in_order_as_in_datadings(run, n):
    # That of datadings for processes leaves some behind.
    assert list(run(i * i for i in range(n))) == list(reference.yield_threaded(i * i for i in range(n)))


@BOTH
def test_any_object_and_any_iterable_will_do(run):
    assert list(run(VALUES)) == VALUES
    assert list(run(map(str, range(5)))) == list("01234")
    arrays = list(run(np.full((100, 100), i) for i in range(10)))
    assert [array.sum() for array in arrays] == [10_000 * i for i in range(10)]


@BOTH
def test_generator_runs_elsewhere_and_is_closed_there(run, path):
    assert list(run(numbers(path, 2))) == [0, 1]
    lines = [line.split()[1:] for line in path.read_text().splitlines()]
    assert len(lines) == 4
    assert all(line == lines[0] for line in lines)
    assert lines[0] != [str(os.getpid()), str(threading.get_ident())]


@BOTH
def test_generator_starts_with_the_first_object_asked_for(run, path):
    run(numbers(path))
    assert not path.exists()


@BOTH
def test_generator_is_a_few_objects_ahead_at_most(run, path):
    ahead = run(numbers(path))
    next(ahead)
    time.sleep(0.2)
    assert len(words(path)) <= 1 + 1 + background_thread.AHEAD + 1
    ahead.close()


@BOTH
def test_exception_is_that_of_the_generator_with_its_traceback(run, path):
    got = []
    with pytest.raises(LookupError) as caught:
        got.extend(run(numbers(path, failing_at=2)))
    assert caught.value.args == ("failed", 2)
    assert words(path) == ["start", "0", "1", "close"]
    shown = "".join(str(caught.value.__cause__)) + str(caught.getrepr(style="native"))
    assert 'raise LookupError("failed", i)' in shown


class Held:
    """Something that a generator has, such as an open file."""


@BOTH
def test_failed_generator_holds_nothing_when_its_exception_was_handled(run):
    held = Held()
    alive = weakref.ref(held)

    def failing(held):
        yield 1
        raise LookupError

    ahead = run(failing(held))
    del held
    gc.disable()  # nothing must wait for it
    try:
        with contextlib.suppress(LookupError):
            list(ahead)
        del ahead
        assert alive() is None
    finally:
        gc.enable()


@BOTH
def test_objects_before_an_exception_arrive(run, path):
    ahead = run(numbers(path, failing_at=2))
    assert [next(ahead), next(ahead)] == [0, 1]
    with pytest.raises(LookupError):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


@BOTH
def test_exit_of_the_generator_is_passed_on(run):
    def leave():
        yield 1
        sys.exit(7)

    with pytest.raises(SystemExit) as caught:
        list(run(leave()))
    assert caught.value.code == 7


def leave_loop(ahead):
    for _ in ahead:
        break


def close(ahead):
    next(ahead)
    ahead.close()


def fail(ahead):
    with pytest.raises(ZeroDivisionError):
        [i / 0 for i in ahead]


def interrupt(ahead):
    next(ahead)
    with pytest.raises(KeyboardInterrupt):
        ahead.throw(KeyboardInterrupt)


@BOTH
@pytest.mark.parametrize("leave", [leave_loop, close, fail, interrupt])
@pytest.mark.parametrize("pause", [0, 0.1], ids=["at work", "waiting"])
def test_generator_is_closed_when_its_consumer_leaves(run, leave, pause, path):
    ahead = run(numbers(path))
    next(ahead)
    time.sleep(pause)
    leave(ahead)
    del ahead
    assert words(path)[-1] == "close"


@BOTH
def test_generator_is_closed_while_large_objects_wait_for_the_consumer(run, path):
    ahead = run(bytes(3_000_000) for _ in numbers(path))
    next(ahead)
    time.sleep(0.1)
    ahead.close()
    assert not threads()


@BOTH
def test_failure_that_the_consumer_did_not_come_to_is_not_raised(run, path):
    ahead = run(numbers(path, failing_at=2))
    next(ahead)
    time.sleep(0.1)
    ahead.close()


@BOTH
def test_failure_to_close_is_raised(run):
    def stubborn():
        try:
            while True:
                yield 1
        finally:
            raise LookupError("cannot write the rest")

    ahead = run(stubborn())
    next(ahead)
    with pytest.raises(LookupError, match="cannot write the rest"):
        ahead.close()


def slow(path, seconds):
    try:
        yield 1
        log(path, "work")
        time.sleep(seconds)
        yield 2
    finally:
        log(path, "close")


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_thread_at_work_is_left_to_end_by_itself(monkeypatch, path):
    def at_work():
        try:
            yield 1
            log(path, "work")
            done.wait(20)
        finally:
            log(path, "close")

    done = threading.Event()
    monkeypatch.setattr(background_thread, "CLOSE_TIMEOUT", 0.05)
    ahead = yield_threaded(at_work())
    next(ahead)
    wait_for(path.exists)
    ahead.close()
    assert words(path) == ["work"]
    done.set()
    wait_for(lambda: not threads())
    assert words(path) == ["work", "close"]


def test_process_at_work_is_terminated_and_closes_its_generator(monkeypatch, path):
    monkeypatch.setattr(background_process, "CLOSE_TIMEOUT", 1)
    ahead = yield_process(slow(path, 100))
    next(ahead)
    wait_for(path.exists)
    ahead.close()
    assert words(path) == ["work", "close"]


def test_process_that_does_not_end_is_killed(monkeypatch, path):
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        yield from slow(path, 100)

    monkeypatch.setattr(background_process, "CLOSE_TIMEOUT", 0.2)
    ahead = yield_process(deaf())
    next(ahead)
    wait_for(path.exists)
    ahead.close()
    assert words(path) == ["work"]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by SIGKILL"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "was killed by SIGTERM"),
        (lambda: os._exit(3), "ended with exit code 3"),
        (lambda: os._exit(0), "ended with exit code 0"),
    ],
    ids=["SIGKILL", "SIGTERM", "3", "0"],
)
def test_death_of_the_process_is_an_error_at_once(end, told):
    def dying():
        yield 1
        end()
        time.sleep(10)

    ahead = yield_process(dying())
    assert next(ahead) == 1
    with pytest.raises(RuntimeError, match=f"{told} before the generator had ended"):
        next(ahead)


@pytest.mark.parametrize(
    "failing", [UnpicklableError("disk", 5), OSError(lambda: 1)], ids=["rebuild", "pickle"]
)
def test_exception_that_cannot_be_sent_becomes_an_error_with_its_text(failing):
    def broken():
        yield 1
        raise failing

    with pytest.raises(BackgroundError, match=r"(UnpicklableError: disk: 5|OSError: <function)") as caught:
        list(yield_process(broken()))
    assert "raise failing" in str(caught.value.__cause__)


def test_object_that_cannot_be_sent_is_an_error():
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError), match=r"pickle|local object"):
        list(yield_process(lambda: 1 for _ in range(2)))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_function_that_makes_the_generator_is_sent_by_any_start_method(method, path, run_python):
    script = f"""
import functools, multiprocessing
from ddfast.tools import yield_process
if __name__ == "__main__":
    multiprocessing.set_start_method({method!r})
    ahead = yield_process(functools.partial(map, str, range(3)))
    print(*ahead)
    try:
        print(*yield_process(i for i in range(3)))
    except RuntimeError as error:
        print(error)
"""
    path.write_text(script)
    done = run_python("-W", "ignore", str(path))
    told = "0 1 2" if method != "spawn" else "The generator cannot be sent to a process .* functools.partial"
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "0 1 2"
    assert re.fullmatch(f"{told}.*", second)


def test_several_processes_end_independently(path):
    first, second = yield_process(numbers(path)), yield_process(numbers(path))
    assert next(first) == next(second) == 0
    first.close()
    assert [next(second), next(second)] == [1, 2]
    second.close()
    assert words(path).count("close") == 2


def test_process_ends_when_its_parent_is_killed(path, run_python):
    script = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_background import numbers, yield_process
ahead = yield_process(numbers(Path({str(path)!r})))
next(ahead)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python("-c", script).returncode == -signal.SIGKILL
    wait_for(lambda: words(path)[-1] == "close")


@BOTH
@pytest.mark.parametrize("end", ["", "raise KeyboardInterrupt"], ids=["exit", "interrupt"])
def test_generator_is_closed_when_the_program_ends(run, end, path, run_python):
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_background import numbers, {run.__name__} as run
ahead = run(numbers(Path({str(path)!r})))
next(ahead)
{end}
"""
    run_python("-c", script)
    assert words(path)[-1] == "close"


def test_process_may_be_started_by_a_thread(path):
    ahead = yield_threaded(yield_process(numbers(path)))
    assert [next(ahead), next(ahead)] == [0, 1]
    ahead.close()
    assert words(path)[-1] == "close"


def test_process_of_a_generator_starts_no_other():
    with pytest.raises(AssertionError, match="daemonic processes"):
        list(yield_process(yield_process(range(3))))


def test_process_that_takes_too_long_to_close_its_generator_is_ended(monkeypatch, path):
    def stubborn():
        try:
            yield from numbers(path)
        finally:
            log(path, "closing")
            time.sleep(100)

    monkeypatch.setattr(background_process, "CLOSE_TIMEOUT", 1)
    ahead = yield_process(stubborn())
    next(ahead)
    ahead.close()
    assert words(path)[-2:] == ["close", "closing"]


def test_processes_do_not_inherit_each_others_pipes(path):
    first, second = yield_process(numbers(path)), yield_process(numbers(path.with_name("other")))
    assert next(first) == next(second) == 0
    del first  # must not wait for the second one to leave
    assert words(path)[-1] == "close"
    second.close()


def test_classes_may_be_used_alone(path):
    end, error = object(), object()
    yielder = Yielder(numbers(path, 2), Queue(3), end, error)
    yielder.start()
    assert [yielder.queue.get() for _ in range(3)] == [0, 1, end]
    yielder.stop()
    process = YielderProc(functools.partial(range, 2))
    process.start()
    assert [process.receive(), process.receive()] == [0, 1]
    assert isinstance(process.receive(), SentinelEnd)
    process.stop()
    process.stop()


def test_error_message_of_a_process_keeps_text_and_exception():
    with pytest.raises(LookupError, match="x") as caught:
        pickle.loads(pickle.dumps(SentinelError(LookupError("x")))).reraise()
    assert "LookupError: x" in str(caught.value.__cause__)
