"""What happens to the samples of a writer that is never closed."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque

from ddfast.writer.destination import Destination
from ddfast.writer.samples import PackedSamples, SampleBuffer

# Threads of this package have names that begin with it.
OWN_THREADS = "ddfast-"


class UnwrittenSamples:
    """Samples that were taken from the buffer of a writer, and whose writing may not have begun.

    Parameters:
        samples: of the writer.

    Attributes:
        chunks: index of the first sample of each chunk, and the chunk.
        lock: held by the thread that writes chunks.
    """

    def __init__(self, samples: SampleBuffer) -> None:
        self._samples = samples
        self.chunks: deque[tuple[int, PackedSamples]] = deque()
        self.lock = threading.Lock()

    def take(self) -> None:
        """Take all samples from the buffer."""
        chunk = self._samples.take()
        if chunk.keys:
            self.chunks.append((len(self._samples) - len(chunk.keys), chunk))

    def behind(self, count: int) -> list[PackedSamples]:
        """All chunks that are not among the first `count` samples of the writer, and what is in the buffer."""
        self.take()
        return [chunk for first, chunk in self.chunks if first >= count]


def keep_unclosed(destination: Destination, unwritten: UnwrittenSamples) -> None:
    """Keep the samples of a writer that is not used any more, and print what happened to them.

    It runs when a writer is collected or the interpreter exits, in any thread.
    """
    if threading.current_thread().name.startswith(OWN_THREADS):
        # The garbage collector ran in a thread that writes samples, and which must not wait for itself.
        threading.Thread(target=_keep, args=(destination, unwritten), name="ddfast-keep").start()
    else:
        _keep(destination, unwritten)


def _keep(destination: Destination, unwritten: UnwrittenSamples) -> None:
    message = destination.keep_unclosed(unwritten.behind)
    if message:
        with contextlib.suppress(
            Exception
        ):  # the stream may be closed, or be in use by the interrupted thread
            print(f"ddfast: {message}", file=sys.stderr)
