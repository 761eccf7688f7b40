"""Generators that run ahead in a thread of their own."""

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
PATIENCE = 5.0  # seconds that a generator has, when its consumer leaves, to finish what it is at
CHECK = 1.0  # seconds of silence after which the other side is looked at

_live: weakref.WeakSet[Yielder] = weakref.WeakSet()


class Yielder(threading.Thread):
    """A thread that puts what a generator yields into a queue.

    Parameters:
        gen: the generator, which is closed in the thread, or anything else to iterate over.
        queue: where objects go.
        end: put after the last object.
        error: put instead if the generator failed.

    Attributes:
        exception: what the generator raised.
        closing_exception: what it raised when it was closed.
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
        """Have the thread close its generator and end; waits at most ``PATIENCE`` for it."""
        self.running = False
        # The garbage collector may call this in the very thread, which must not wait for its own lock then, or in
        # a process that was forked while somebody held it.
        if self is threading.current_thread() or self._owner != os.getpid():
            return
        with contextlib.suppress(Empty):
            while True:  # make room if the thread waits for some
                self.queue.get_nowait()
        if self.ident is not None:
            self.join(PATIENCE)

    def _put(self, obj: object) -> None:
        while self.running:
            with contextlib.suppress(Full):
                self.queue.put(obj, timeout=CHECK)
                break


def yield_threaded(gen: Iterable[T]) -> Iterator[T]:
    """Run a generator in a thread, up to three objects ahead, and yield what it yields.

    The thread starts when the first object is asked for. What the generator raises is raised here, with its own
    traceback. When this iterator is closed or dropped, the generator is closed in its thread; if it takes
    longer than five seconds to get there, it is left to end by itself.

    Parameters:
        gen: the generator, or anything else to iterate over.
    """
    yielder = Yielder(gen, Queue(AHEAD), object(), object())
    del gen  # the thread's alone from here on
    _live.add(yielder)
    yielder.start()
    try:
        while (obj := _next(yielder)) is not yielder.end:
            yield obj
    finally:
        yielder.stop()
        _raise_once(yielder, "closing_exception")


def close(gen: Iterable[Any]) -> None:
    """Close a generator; other iterables, such as files, belong to whoever made them."""
    if isinstance(gen, Generator):
        gen.close()


def _next(yielder: Yielder) -> Any:
    """The next object of the queue; raises what the generator raised."""
    while True:
        alive = yielder.is_alive()  # asked first: what it put before it ended is found after that
        try:
            obj = yielder.queue.get(timeout=CHECK)
        except Empty:
            if alive:
                continue
            raise BackgroundError("The thread that ran the generator has ended too early.") from None
        if obj is yielder.error:
            _raise_once(yielder, "exception")
        return obj


def _raise_once(yielder: Yielder, name: str) -> None:
    """Raise an exception of the thread and forget it, since its traceback leads to all that the generator holds."""
    exception = getattr(yielder, name)
    setattr(yielder, name, None)
    try:
        if exception is not None:
            raise exception
    finally:
        del exception


def _stop_all() -> None:
    """Close generators at exit, which would stop daemon threads wherever they are."""
    for yielder in list(_live):
        yielder.stop()


atexit.register(_stop_all)
