"""Generators that run ahead in a separate process.

Parent and child are connected by a two-way pipe. The child sends objects, and at the end a ``SentinelEnd`` or a
``SentinelError``. The parent sends one credit for each object that it has received, or ``_STOP``. The child sends an
object only if it has a credit, so only a few objects are waiting at any time.
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
from ddfast.tools.background_thread import AHEAD, CHECK, CLOSE_TIMEOUT, close

# Importing multiprocessing would take a third of the time of `import ddfast`, so functions import it.
if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")

_CREDIT, _STOP = b"+", b"-"
_live: weakref.WeakSet[YielderProc] = weakref.WeakSet()


class SentinelEnd:
    """Sent by a child process after the last object."""


class RemoteTraceback(Exception):  # noqa: N818  # never raised: the cause that shows the origin of an exception
    """The traceback of an exception in another process, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class SentinelError:
    """Sent by a child process when its generator has failed.

    Parameters:
        exception: the exception of the generator.
        closing: whether it was raised while closing the generator.
    """

    def __init__(self, exception: BaseException, closing: bool = False) -> None:
        self.closing = closing
        self.text = "".join(traceback.format_exception(type(exception), exception, exception.__traceback__))
        self.summary = traceback.format_exception_only(type(exception), exception)[-1].strip()
        self.pickled: bytes | None = None
        with contextlib.suppress(Exception):
            self.pickled = pickle.dumps(exception)

    def reraise(self) -> NoReturn:
        """Raise the exception, or a ``BackgroundError`` with its text if it cannot be unpickled."""
        exception: object = None
        if self.pickled is not None:
            with contextlib.suppress(Exception):
                exception = pickle.loads(self.pickled)
        if not isinstance(exception, BaseException):
            exception = BackgroundError(f"The generator failed in its process: {self.summary}")
        try:
            raise exception from RemoteTraceback(self.text)
        finally:
            del exception  # its traceback refers to this frame


class YielderProc:
    """A child process that runs a generator.

    Parameters:
        gen: the generator, another iterable, or a function without parameters that returns one.
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
        """The next object, or a ``SentinelEnd``. Raises the exception of the generator.

        Raises:
            BackgroundError: the process has died.
        """
        while not (ready := self._poll.poll(CHECK * 1000)) and self._process.is_alive():
            pass
        try:
            # Objects that it sent before it died come first.
            message = self._pipe.recv_bytes() if self._pipe.fileno() in dict(ready) else None
        except (EOFError, OSError):
            message = None
        if message is None:
            raise self._death()
        obj = pickle.loads(message)
        if isinstance(obj, SentinelError):
            obj.reraise()
        with contextlib.suppress(OSError):  # it may have ended in the meantime
            self._pipe.send_bytes(_CREDIT)
        return obj

    def stop(self) -> None:
        """Make the process close its generator and end: by a message, then by SIGTERM, then by SIGKILL.

        Each step has ``CLOSE_TIMEOUT`` seconds; SIGTERM still runs the ``finally`` blocks of the generator. Raises the
        exception that the generator raised while it was closed.
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
        """Receive the remaining objects, so that the process is not blocked. Returns whether it ended in time."""
        deadline = time.monotonic() + CLOSE_TIMEOUT
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
        with contextlib.suppress(Exception):  # the object is not needed
            obj = pickle.loads(message)
            if isinstance(obj, SentinelError) and obj.closing:
                self._closing_error = obj

    def forget(self, keep: Connection) -> None:
        """Close the inherited ends of the pipe in a forked process; open ones hide the end of the other side."""
        for end in self._ends:
            if end is not keep:
                end.close()

    def _death(self) -> BackgroundError:
        self._process.join(CLOSE_TIMEOUT)
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return BackgroundError(f"The process that ran the generator {how} before the generator had ended.")


def yield_process(gen: Iterable[T] | Callable[[], Iterable[T]]) -> Iterator[T]:
    """Run a generator in a process, up to three objects ahead, and yield its objects, which are pickled.

    The process starts with the first object. Exceptions of the generator are raised here, caused by a
    ``RemoteTraceback`` with the traceback as text. When this iterator is closed or dropped, the generator is
    closed in its process, which then ends; after five seconds it receives SIGTERM, and after ten SIGKILL.

    A generator cannot be sent to another process, so it needs a process that is forked from this one, the default on
    Linux. A function that returns the generator works with any start method of ``multiprocessing``.

    Parameters:
        gen: the generator, another iterable, or a function without parameters that returns one.

    Raises:
        BackgroundError: the generator cannot be sent to another process, its process has died, or it raised an
            exception that cannot be pickled.
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
    "The generator cannot be sent to a process that is not forked from this one ({error}). Pass yield_process a "
    "function that can be pickled and returns the generator, such as functools.partial(read_samples, path)"
)


def _is_function(gen: object) -> bool:
    return callable(gen) and not isinstance(gen, Iterable)


def _start_method(gen: object) -> str | None:
    """The start method of `multiprocessing`, but "fork" for a generator that cannot be sent to the fork server."""
    import multiprocessing

    chosen = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    return "fork" if chosen == "forkserver" and not _is_function(gen) else chosen


class _TerminatedError(BaseException):
    """SIGTERM was received: the generator must clean up and end."""


def _serve(gen: Any, pipe: Connection) -> None:
    """The child process: run the generator and send its objects."""
    for yielder in list(_live):
        yielder.forget(keep=pipe)
    signal.set_wakeup_fd(-1)  # otherwise an event loop of the parent is woken by signals of this process
    signal.signal(signal.SIGTERM, _terminate)
    try:
        outcome = _run(gen, pipe)
        with contextlib.suppress(OSError):  # the parent has gone
            pipe.send(outcome)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except _TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _run(gen: Any, pipe: Connection) -> SentinelEnd | SentinelError:
    """Iterate while the parent receives objects. Returns the final message."""
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
    """The child's end of the pipe, and its credit."""

    def __init__(self, pipe: Connection) -> None:
        from multiprocessing.reduction import ForkingPickler

        self.dumps = ForkingPickler.dumps
        self.pipe = pipe
        self.credit = AHEAD
        self.words = select.poll()
        self.words.register(pipe.fileno(), select.POLLIN)

    def send(self, obj: object) -> bool:
        """Wait for a credit and send an object. Returns False if the parent has left."""
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
    """Close generators at exit, before `multiprocessing`, which was imported earlier, ends their processes."""
    import multiprocessing.util  # noqa: F401

    atexit.register(_stop_all)


def _stop_all() -> None:
    for yielder in list(_live):
        with contextlib.suppress(Exception):
            yielder.stop()
