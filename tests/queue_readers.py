"""A reader that fills the pieces of a remote queue from memory, in random order and with random delays."""

from __future__ import annotations

import random
import select
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from ddfast._native.engine import Engine
from ddfast._native.remote_queue import RemotePiece, RemoteQueue


class QueueReader:
    """Fills the pieces of an engine until it is closed.

    Parameters:
        engine: the engine.
        files: contents of the data files.
        delay: maximum delay of a piece, in seconds.
        deal: called with a piece; returns whether it has dealt with it, so that it is not filled.
        seed: of the order and the delays.
    """

    def __init__(
        self,
        engine: Engine,
        files: Sequence[bytes],
        delay: float = 0.0,
        deal: Callable[[RemotePiece], bool] = lambda piece: False,
        seed: int = 1,
    ) -> None:
        self.queue = RemoteQueue(engine)
        self.files = files
        self.served: list[tuple[int, int, int]] = []  # shard, start, stop
        self._delay = delay
        self._deal = deal
        self._random = random.Random(seed)
        self._held: list[RemotePiece] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            self.queue.arm()
            self._held += self.queue.take(64)
            if not self._held:
                select.select([self.queue], [], [], 0.05)
                self.queue.clear()
                continue
            self._serve(self._held.pop(self._random.randrange(len(self._held))))
        self._held.clear()

    def _serve(self, piece: RemotePiece) -> None:
        if self._deal(piece):
            return
        if self._delay:
            time.sleep(self._random.uniform(0, self._delay))
        self.served.append((piece.shard, piece.start, piece.stop))
        memoryview(piece)[:] = self.files[piece.shard][piece.start : piece.stop]
        piece.end()

    def close(self) -> None:
        """Hand out no more, drop what is held, and end the thread."""
        self._closed.set()
        self.queue.close()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def __enter__(self) -> QueueReader:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
