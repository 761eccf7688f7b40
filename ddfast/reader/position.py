"""Which threads use the position of a reader or an augment."""

from __future__ import annotations

import threading
from threading import get_ident

from ddfast.errors import SharedPositionError

__all__ = ["PositionUse"]


class PositionUse:
    """The uses of a position that have not ended: loops, and calls such as `next`.

    Any number of loops of one thread may share a position; they move it together, as in datadings. A second thread is
    refused, because both would miss samples. There is no lock, which a fork could leave locked. Copies and pickles have
    no uses.
    """

    def __init__(self) -> None:
        self._threads: dict[object, int] = {}  # by use, in the order in which they began

    def __reduce__(self) -> tuple[type[PositionUse], tuple[()]]:
        return type(self), ()

    def begin(self, owner: object) -> object:
        """Begin a use; the result is the argument of `end`.

        Parameters:
            owner: the reader or augment, for the error message.

        Raises:
            SharedPositionError: another thread has begun one that has not ended.
        """
        use = self.begin_if_free()
        if use is None:
            raise SharedPositionError(
                f"{owner!r}: the thread {threading.current_thread().name!r} cannot use the position, because another "
                "thread is in a loop or a call that moves it, and both would miss samples. Call `iter(0)` of a reader "
                "in each thread, or use `slice`, `batches` or `get`, which have no position; or open a reader or an "
                "augment in each thread"
            )
        return use

    def begin_if_free(self) -> object | None:
        """The same as `begin`, but None if another thread has begun a use that has not ended."""
        use = object()
        self._threads[use] = get_ident()
        if len(self._threads) > 1 and self._is_taken(use):
            del self._threads[use]
            return None
        return use

    def end(self, use: object) -> None:
        """End a use."""
        del self._threads[use]

    def _is_taken(self, use: object) -> bool:
        """Whether another living thread has an earlier use."""
        living = {thread.ident for thread in threading.enumerate()} - {get_ident()}
        for earlier, ident in list(self._threads.items()):
            if earlier is use:
                break
            if ident in living:
                return True
        return False
