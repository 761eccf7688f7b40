"""Generators that run ahead in a separate thread."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator
from queue import Empty, Full, Queue
from typing import Any, TypeVar

from ddfast.errors import BackgroundError

T = TypeVar("T")

AHEAD = 3  # objects that may wait for the consumer
CLOSE_TIMEOUT = 5.0  # seconds that a generator has to finish its current object when its consumer leaves
CHECK = 1.0  # seconds without objects after which the other side is checked

_live: weakref.WeakSet[Yielder] = weakref.WeakSet()


class Yielder(threading.Thread):
    """A thread that puts the objects of a generator into a queue.

    Parameters:
        gen: the generator, which is closed in the thread, or another iterable.
        queue: queue for the objects.
        end: put into the queue after the last object.
        error: put into the queue instead of `end` if the generator failed.

    Attributes:
        exception: the exception of the generator.
        closing_exception: the exception that it raised while it was closed.
    """

    def __init__(self, gen: Iterable[Any], queue: Queue[Any], end: object, error: object) -> None:
        super().__init__(daemon=True)
        self.gen = gen
        self.queue = queue
        self.end = end
        self.error = error
        self.running = True
        self._owner = os.getpid()
        self.exception: BaseException | None = None
        self.closing_exception: BaseException | None = None

    def run(self) -> None:
        """Run the generator until it ends, fails, or ``stop`` is called."""
        last = self.end
        try:
            for obj in self.gen:
                self._put(obj)
                if not self.running:
                    break
        except BaseException as error:
            self.exception, last = error, self.error
        try:
            close(self.gen)
        except BaseException as error:
            self.closing_exception = error
        self.gen = ()
        self._put(last)

    def stop(self) -> None:
        """Make the thread close its generator and end; waits at most ``CLOSE_TIMEOUT`` seconds."""
        self.running = False
        # The garbage collector may call this in the same thread, which must not wait for its own lock, or in
        # a process that was forked while another thread held the lock.
        if self is threading.current_thread() or self._owner != os.getpid():
            return
        with contextlib.suppress(Empty):
            while True:  # make room if the thread waits for it
                self.queue.get_nowait()
        if self.ident is not None:
            self.join(CLOSE_TIMEOUT)

    def _put(self, obj: object) -> None:
        while self.running:
            with contextlib.suppress(Full):
                self.queue.put(obj, timeout=CHECK)
                break


def yield_threaded(gen: Iterable[T]) -> Iterator[T]:
    """Run a generator in a thread, up to three objects ahead, and yield its objects.

    The thread starts with the first object. Exceptions of the generator are raised here, with their original
    traceback. When this iterator is closed or dropped, the generator is closed in its thread. If that takes
    longer than five seconds, the thread ends later by itself.

    Parameters:
        gen: the generator, or another iterable.
    """
    yielder = Yielder(gen, Queue(AHEAD), object(), object())
    del gen  # only the thread uses it from here on
    _live.add(yielder)
    yielder.start()
    try:
        while (obj := _next(yielder)) is not yielder.end:
            yield obj
    finally:
        yielder.stop()
        _raise_once(yielder, "closing_exception")


def close(gen: Iterable[Any]) -> None:
    """Close a generator. Other iterables, such as files, are closed by their owner."""
    if isinstance(gen, Generator):
        gen.close()


def _next(yielder: Yielder) -> Any:
    """The next object of the queue. Raises the exception of the generator."""
    while True:
        alive = yielder.is_alive()  # before get(): objects that it put before it ended are still found
        try:
            obj = yielder.queue.get(timeout=CHECK)
        except Empty:
            if alive:
                continue
            raise BackgroundError("The thread of the generator has ended unexpectedly.") from None
        if obj is yielder.error:
            _raise_once(yielder, "exception")
        return obj


def _raise_once(yielder: Yielder, name: str) -> None:
    """Raise an exception of the thread and drop it, because its traceback refers to all objects of the generator."""
    exception = getattr(yielder, name)
    setattr(yielder, name, None)
    try:
        if exception is not None:
            raise exception
    finally:
        del exception


def _stop_all() -> None:
    """Close generators at exit; otherwise the interpreter would stop their daemon threads at any point."""
    for yielder in list(_live):
        yielder.stop()


atexit.register(_stop_all)
