"""A dataset in the making: what blocking and asynchronous writers have in common."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

from ddfast.errors import ClosedError
from ddfast.writer.book import Book, Piece
from ddfast.writer.digest import Digest
from ddfast.writer.opening import open_target
from ddfast.writer.progress import Progress


class Making:
    """Everything between the samples of a writer and the files of the dataset. Parameters are those of `Writer`.

    Attributes:
        book: the samples so far.
        target: where they go.
        progress: shows how many they are.
        end: why there is nothing more to write.
        is_ready: whether samples may be written; else `begin` comes first, and `old_samples` then.
    """

    def __init__(
        self,
        outfile: str | os.PathLike[str],
        overwrite: bool,
        resume: bool,
        append: bool,
        checksums: bool,
        storage_options: Mapping[str, Any] | None,
        options: dict[str, Any],
    ) -> None:
        self.end: str | None = None
        self._resume = resume
        self.target = open_target(
            outfile, resume, append, checksums, storage_options or {}, options.get("disable", False)
        )
        try:
            self.is_ready = not self.target.take_over(overwrite)
            self.book = Book(self.target.name)
            self.progress = Progress(self.target.name, options)
        except BaseException:
            self.target.leave()
            raise
        self._digest = Digest()
        self._cleanup = weakref.finalize(self, self.target.leave if resume else self.target.remove)
        _living.add(self)
        if self.is_ready:
            with self.giving_up():
                self.begin()

    def begin(self) -> None:
        """Make the files, or go on with those that are there."""
        self.target.begin(self.book, self._digest)

    def old_samples(self) -> Iterator[tuple[list[str], list[memoryview]]]:
        """What is to be appended to, as far as it is not there yet: keys and packed samples, bit by bit."""
        return self.target.old_samples(self.book)

    def flush(self, piece: Piece) -> None:
        """Write what was taken out of the book. May wait."""
        with self.giving_up():  # nobody knows how much of the piece is in the file
            if piece.keys:
                self._digest.update(piece.buffers)
                self.target.write(piece)

    def show(self) -> None:
        """Show how many samples there are, if it is time."""
        if monotonic() >= self.progress.due:
            self.progress.show(len(self.book))
            self.book.buffer.due = self.progress.due

    def prepare(self) -> None:
        """Write what is missing, and all other files."""
        self.flush(self.book.take())
        with self.giving_up():
            self.target.finish()
            self.target.prepare(self.book, self._digest.hexdigest())

    def publish(self) -> None:
        """Give all files their names."""
        self._cleanup.detach()
        self._stop("it is closed")
        self.target.publish()
        self.progress.close(len(self.book), finished=True)

    def give_up(self) -> None:
        """Stop without a dataset: remove what was written; or if it may be resumed, see that all is in the draft."""
        if self.end is not None:
            return
        if self._resume and self.target.is_open:
            with contextlib.suppress(OSError):
                self.flush(self.book.take())
                self.target.finish()
        if self.end is None:
            self._stop("its dataset was given up")
            self._cleanup()
            self.progress.close(len(self.book), finished=False)

    def discard(self) -> None:
        """Stop and remove what was written."""
        if self.end is None:
            self._resume = False
            self._stop("its dataset was given up")
            self._cleanup.detach()
            self.target.remove()
            self.progress.close(len(self.book), finished=False)

    def keep(self) -> None:
        """Stop and keep what was written."""
        self._stop("a write failed")
        self._cleanup.detach()
        self.target.leave()
        self.progress.close(len(self.book), finished=False)

    @contextlib.contextmanager
    def giving_up(self) -> Iterator[None]:
        """Stop where something goes wrong. Where the storage refuses, say so and keep what it has taken."""
        try:
            yield
        except OSError as error:
            if self.end is None:
                self.keep()
            raised = self.target.failed(error, self.book.size)
            if raised is error:
                raise
            raise raised from error
        except BaseException:
            self.give_up()
            raise

    def closed(self) -> ClosedError:
        """What to raise for a sample that comes too late."""
        return ClosedError(
            f"{self.target.where}: the writer takes no more samples, {self.end}. Open another one"
        )

    def leave_to_parent(self) -> None:
        """Stop in a child process, without touching what its parent writes."""
        if self.end is None:
            self.end = f"it belongs to process {os.getppid()}, of which this one was forked"
            self.book.buffer.is_closed = True
            self._cleanup.detach()
            self.target.forget()

    def _stop(self, end: str) -> None:
        self.end = end
        self.book.buffer.is_closed = True
        self.target.stop()
        self._digest.close()


_living: weakref.WeakSet[Making] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for making in list(_living):
        making.leave_to_parent()


os.register_at_fork(after_in_child=_leave_to_parent)
