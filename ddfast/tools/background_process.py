"""Generators that run ahead in a process of their own.

Parent and child hold an end each of a two-way pipe. Down it come objects, and at last a ``SentinelEnd`` or a
``SentinelError``. Up go credits, one for each object that was taken, or ``_STOP``. The child sends an object
only when it has a credit, so that no more than a few of them wait.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import select
import signal
import time
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ddfast.errors import BackgroundError
from ddfast.tools.background_thread import AHEAD, CHECK, PATIENCE, close

# multiprocessing would make up a third of the time that `import ddfast` takes: see where it is used.
if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")

_CREDIT, _STOP = b"+", b"-"
_live: weakref.WeakSet[YielderProc] = weakref.WeakSet()


class SentinelEnd:
    """What a child process sends after the last object."""


class RemoteTraceback(Exception):  # noqa: N818  # never raised: a cause that shows where an exception comes from
    """The traceback of an exception in another process, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class SentinelError:
    """What a child process sends when its generator has failed.

    Parameters:
        exception: what was raised.
        closing: whether that was when the generator was closed.
    """

    def __init__(self, exception: BaseException, closing: bool = False) -> None:
        self.closing = closing
        self.text = "".join(traceback.format_exception(type(exception), exception, exception.__traceback__))
        self.summary = traceback.format_exception_only(type(exception), exception)[-1].strip()
        self.pickled: bytes | None = None
        with contextlib.suppress(Exception):
            self.pickled = pickle.dumps(exception)

    def reraise(self) -> NoReturn:
        """Raise the exception; a ``BackgroundError`` with its text where it cannot be built again."""
        exception: object = None
        if self.pickled is not None:
            with contextlib.suppress(Exception):
                exception = pickle.loads(self.pickled)
        if not isinstance(exception, BaseException):
            exception = BackgroundError(f"The generator failed in its process: {self.summary}")
        try:
            raise exception from RemoteTraceback(self.text)
        finally:
            del exception  # its traceback leads here


class YielderProc:
    """A child process that runs a generator.

    Parameters:
        gen: the generator, anything else to iterate over, or a function without parameters that makes one.
    """

    def __init__(self, gen: Iterable[Any] | Callable[[], Iterable[Any]]) -> None:
        self._gen: Any = gen
        self._owner = os.getpid()
        self._ends: list[Any] = []
        self._closing_error: SentinelError | None = None

    def start(self) -> None:
        """Start the process.

        Raises:
            BackgroundError: the generator cannot be sent to another process.
        """
        import multiprocessing

        _stop_all_at_exit()
        context: Any = multiprocessing.get_context(_start_method(self._gen))
        _live.add(self)
        self._ends += context.Pipe()
        self._pipe, child = self._ends
        try:
            self._process = context.Process(target=_serve, args=(self._gen, child), daemon=True)
            self._process.start()
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            self._pipe.close()
            raise BackgroundError(_CANNOT_SEND.format(error=error)) from error
        finally:
            child.close()
            self._gen = None
        self._poll = select.poll()
        for source in (self._pipe.fileno(), self._process.sentinel):
            self._poll.register(source, select.POLLIN)

    def receive(self) -> Any:
        """The next object, or a ``SentinelEnd``; raises what the generator raised.

        Raises:
            BackgroundError: the process has died.
        """
        while not (ready := self._poll.poll(CHECK * 1000)) and self._process.is_alive():
            pass
        try:
            # What it sent before it died comes first.
            message = self._pipe.recv_bytes() if self._pipe.fileno() in dict(ready) else None
        except (EOFError, OSError):
            message = None
        if message is None:
            raise self._death()
        obj = pickle.loads(message)
        if isinstance(obj, SentinelError):
            obj.reraise()
        with contextlib.suppress(OSError):  # it may have ended since
            self._pipe.send_bytes(_CREDIT)
        return obj

    def stop(self) -> None:
        """Have the process close its generator and end: by a word, by SIGTERM, and at last by SIGKILL.

        Each is given ``PATIENCE``; SIGTERM still runs what the generator does in ``finally``. Raises what the
        generator raised when it was closed.
        """
        if self._owner != os.getpid() or not self._ends or self._pipe.closed:
            return
        with contextlib.suppress(OSError):
            self._pipe.send_bytes(_STOP)
        ended = self._drain()
        for end in (self._process.terminate, self._process.kill):
            if not ended:
                end()
                ended = self._drain()
        self._pipe.close()
        if ended:
            self._process.close()
        if self._closing_error is not None:
            self._closing_error.reraise()

    def _drain(self) -> bool:
        """Take what the process still sends, which it may be stuck with; whether it ends before patience does."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(self._poll.poll(left * 1000))
            if ready and self._pipe.fileno() not in ready:
                break  # it has ended
            try:
                self._look_at(self._pipe.recv_bytes() if ready else b"")
            except (EOFError, OSError):
                break
        self._process.join(max(left, 0))
        return self._process.exitcode is not None

    def _look_at(self, message: bytes) -> None:
        with contextlib.suppress(Exception):  # nobody asked for this object
            obj = pickle.loads(message)
            if isinstance(obj, SentinelError) and obj.closing:
                self._closing_error = obj

    def forget(self, keep: Connection) -> None:
        """Close what a forked process has inherited of this, which keeps either side from seeing the other leave."""
        for end in self._ends:
            if end is not keep:
                end.close()

    def _death(self) -> BackgroundError:
        self._process.join(PATIENCE)
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return BackgroundError(f"The process that ran the generator {how} before the generator had ended.")


def yield_process(gen: Iterable[T] | Callable[[], Iterable[T]]) -> Iterator[T]:
    """Run a generator in a process, up to three objects ahead, and yield what it yields, pickled in between.

    The process starts when the first object is asked for. What the generator raises is raised here, caused by a
    ``RemoteTraceback`` with its traceback as text. When this iterator is closed or dropped, the generator is
    closed in its process, which then ends; after five seconds it gets SIGTERM, and after ten SIGKILL.

    A generator cannot be sent to a process, so that it needs one that is forked from this, as it is the rule on
    Linux. A function that makes the generator can be sent by any start method of ``multiprocessing``.

    Parameters:
        gen: the generator, anything else to iterate over, or a function without parameters that makes one.

    Raises:
        BackgroundError: the generator cannot be sent to another process, its process has died, or it raised what
            cannot be pickled.
    """
    yielder = YielderProc(gen)
    del gen
    yielder.start()
    try:
        while not isinstance(obj := yielder.receive(), SentinelEnd):
            yield obj
    finally:
        yielder.stop()


_CANNOT_SEND = (
    "What is to be run cannot be sent to a process that is not forked from this one ({error}). Give yield_process "
    "a function that can be pickled and makes the generator, such as functools.partial(read_samples, path)"
)


def _is_function(gen: object) -> bool:
    return callable(gen) and not isinstance(gen, Iterable)


def _start_method(gen: object) -> str | None:
    """What `multiprocessing` is set to; but a generator is forked where a server would have to be sent it."""
    import multiprocessing

    chosen = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    return "fork" if chosen == "forkserver" and not _is_function(gen) else chosen


class _TerminatedError(BaseException):
    """SIGTERM has come: the generator is to clean up and end."""


def _serve(gen: Any, pipe: Connection) -> None:
    """The child process: run the generator and send what it yields."""
    for yielder in list(_live):
        yielder.forget(keep=pipe)
    signal.set_wakeup_fd(-1)  # an event loop of the parent's would be told of our signals
    signal.signal(signal.SIGTERM, _terminate)
    try:
        outcome = _run(gen, pipe)
        with contextlib.suppress(OSError):  # nobody listens any more
            pipe.send(outcome)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except _TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _run(gen: Any, pipe: Connection) -> SentinelEnd | SentinelError:
    """Iterate while the parent takes objects; how that ended."""
    failure: SentinelError | None = None
    source: Any = ()
    try:
        source = gen() if _is_function(gen) else gen
        channel = _Channel(pipe)
        for obj in source:
            if not channel.send(obj):
                break
    except _TerminatedError:
        close(source)
        raise
    except BaseException as error:
        failure = SentinelError(error)
    try:
        close(source)
    except _TerminatedError:
        raise
    except BaseException as error:
        failure = SentinelError(error, closing=True)
    return failure or SentinelEnd()


class _Channel:
    """The child's end of the pipe, and how many objects may be sent."""

    def __init__(self, pipe: Connection) -> None:
        from multiprocessing.reduction import ForkingPickler

        self.dumps = ForkingPickler.dumps
        self.pipe = pipe
        self.credit = AHEAD
        self.words = select.poll()
        self.words.register(pipe.fileno(), select.POLLIN)

    def send(self, obj: object) -> bool:
        """Send an object when there is a credit; false when the parent has left."""
        message = self.dumps(obj)
        try:
            while self.credit == 0 or self.words.poll(0):
                if self.pipe.recv_bytes() == _STOP:
                    return False
                self.credit += 1
            self.pipe.send_bytes(message)
        except (EOFError, OSError):
            return False
        self.credit -= 1
        return True


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _TerminatedError


@cache
def _stop_all_at_exit() -> None:
    """Have generators closed at exit, before `multiprocessing`, which was imported earlier, ends their processes."""
    import multiprocessing.util  # noqa: F401

    atexit.register(_stop_all)


def _stop_all() -> None:
    for yielder in list(_live):
        with contextlib.suppress(Exception):
            yielder.stop()
