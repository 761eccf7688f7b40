"""A dataset in the making: what blocking and asynchronous writers have in common."""

from __future__ import annotations

import contextlib
import os
import warnings
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ddfast.dataset import Dataset, level_of_caller
from ddfast.errors import ClosedError, DdfastError, ResumeError
from ddfast.journal import Story
from ddfast.tools import make_printer
from ddfast.writer.book import Book, Piece
from ddfast.writer.digest import Digest
from ddfast.writer.draft import Draft, ask, name_dataset
from ddfast.writer.leftover import whole_samples
from ddfast.writer.output import Output
from ddfast.writer.progress import Progress

APPEND_BYTES = 1 << 20
APPEND_SAMPLES = 1 << 14


class Making:
    """Everything between the samples of a writer and the files of the dataset. Parameters are those of `Writer`.

    Attributes:
        book: the samples so far.
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
        options: dict[str, Any],
    ) -> None:
        self.path = name_dataset(outfile)
        self.book = Book(self.path, options.get("total"))
        self.end: str | None = None
        self._resume, self._append, self._options = resume, append, options
        self._draft = Draft(self.path, checksums)
        try:
            self._left = self._take_over(overwrite)
            self.progress = Progress(self.path.name, options)
        except BaseException:
            self._draft.leave()
            raise
        self.is_ready = self._left is None and not append
        self._digest = Digest()
        self._cleanup = weakref.finalize(self, self._draft.leave if resume else self._draft.remove)
        self.output: Output | None = None
        _living.add(self)
        if self.is_ready:
            with self.giving_up():
                self.begin()

    def _take_over(self, overwrite: bool) -> Story | None:
        """Decide about what is there already; returns what is to be gone on with."""
        left = self._draft.left()
        if left is not None and self._resume:
            return left
        if not overwrite and not self._append:
            ask(self.path)
        if left is not None:
            warnings.warn(
                f"{self.path}: {self._draft.data.stat().st_size:,} bytes are thrown away that a writer left which "
                "was stopped. With resume=True a writer goes on with them",
                stacklevel=level_of_caller(),
            )
        return None

    def begin(self) -> None:
        """Make the files, or go on with those that are there."""
        if self._left is None:
            self._draft.clear()
        else:
            self._restore(self._left)
        self.output = Output(self._draft.data, resume=self._left is not None)
        self._left = None

    def _restore(self, story: Story) -> None:
        """Go on with the whole samples of a draft."""
        journal, total = self._draft.journal, self._draft.data.stat().st_size
        desc = f"{self.path.name}: going on"
        bar = make_printer(
            desc=desc,
            total=total,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=self._options.get("disable"),
        )
        found: list[Piece] = []
        with contextlib.closing(bar):
            for piece in whole_samples(self._draft.data, story):
                if len(self.book) >= len(story.keys):
                    found.append(Piece(piece.keys, piece.sizes, []))
                self.book.restore(piece.keys, piece.sizes)
                self._draft.sums.frombytes(piece.checksums().tobytes())
                self._digest.update(piece.buffers)
                bar.update(int(piece.sizes.sum()))
        os.truncate(self._draft.data, self.book.size)
        if story.end:
            journal.cut(story.end)
            journal.sign()
        else:
            journal.begin()
        if len(self.book) < len(story.keys):
            journal.add("kept", len(self.book))
        self._note_found(found, len(story.keys))

    def _note_found(self, found: list[Piece], first: int) -> None:
        """Tell the journal of samples that it did not know."""
        for piece in found:
            sums = np.array(self._draft.sums[first : first + len(piece.keys)], np.uint64)
            self._draft.journal.add_samples(piece.keys, piece.sizes, sums)
            first += len(piece.keys)

    def old_samples(self) -> Iterator[tuple[list[str], list[memoryview]]]:
        """What is to be appended to, as far as it is not in the draft: keys and packed samples, bit by bit.

        They take the way of all samples: read once, checked, hashed and written by threads, while a copy in the kernel
        would have to be read again for its digest.

        Raises:
            ResumeError: the draft was begun by a writer that did not append.
        """
        if not self._append or not self.path.exists():
            return
        old = Dataset(self.path)
        known = self.book.keys[: len(old)]
        if known != list(old.keys[: len(known)]):
            raise ResumeError(
                f"{self.path}: what a writer left does not begin with the samples of the dataset, so it was not "
                "appending. Go on without append=True, or remove it with `ddfast recover --discard`"
            )
        first, mean = len(known), max(1, old.data_size // max(1, len(old)))
        count = max(1, min(APPEND_SAMPLES, APPEND_BYTES // mean))
        while first < len(old):
            stop = min(first + count, len(old))
            spans = old.offsets.span_range(first, stop).tolist()
            start = spans[0][0]
            data = memoryview(old.file.read(start, spans[-1][1] - start))
            yield list(old.keys[first:stop]), [data[a - start : b - start] for a, b in spans]
            first = stop

    def flush(self, piece: Piece) -> None:
        """Write what was taken out of the book. May wait."""
        assert self.output is not None
        with self.giving_up():  # nobody knows how much of the piece is in the file
            if piece.keys:
                self._digest.update(piece.buffers)
                self.output.write(piece.buffers, partial(self._draft.note, piece))

    def prepare(self) -> None:
        """Write what is missing, and all other files."""
        self.flush(self.book.take())
        assert self.output is not None
        with self.giving_up():
            self.output.close()
            self._draft.prepare(self.book, self._digest.hexdigest())

    def publish(self) -> None:
        """Give all files their names."""
        self._cleanup.detach()
        self._stop("it is closed")
        self._draft.publish()
        self.progress.close(len(self.book), finished=True)

    def give_up(self) -> None:
        """Stop without a dataset: remove what was written; or if it may be resumed, see that all is in the draft."""
        if self.end is not None:
            return
        if self._resume and self.output is not None and not self.output.is_closed:
            with contextlib.suppress(OSError):
                self.flush(self.book.take())
                self.output.close()
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
            self._draft.remove()
            self.progress.close(len(self.book), finished=False)

    def keep(self) -> None:
        """Stop and keep what was written."""
        self._stop("a write failed")
        self._cleanup.detach()
        self._draft.leave()
        self.progress.close(len(self.book), finished=False)

    @contextlib.contextmanager
    def giving_up(self) -> Iterator[None]:
        """Stop where something goes wrong. Where the file system refuses, say so and keep what it has taken."""
        try:
            yield
        except OSError as error:
            if self.end is None:
                self.keep()
            if isinstance(error, DdfastError):
                raise
            raise self._failed(error) from error
        except BaseException:
            self.give_up()
            raise

    def _failed(self, error: OSError) -> OSError:
        try:
            written = self._draft.data.stat().st_size
        except OSError:
            written = 0
        missing = max(0, self.book.size - written)
        reason = (
            f"{error.strerror or error}: {missing:,} of {self.book.size:,} bytes are not in the file. The old dataset, "
            f"if any, is untouched. Samples so far are kept: resume=True goes on with them, `ddfast recover "
            f"{self.path}` makes a dataset of them, and with --discard removes them"
        )
        if error.errno is None:
            return type(error)(f"{self.path}: {reason}")
        return OSError(error.errno, reason, str(self.path))

    def closed(self) -> ClosedError:
        """What to raise for a sample that comes too late."""
        return ClosedError(f"{self.path}: the writer takes no more samples, {self.end}. Open another one")

    def leave_to_parent(self) -> None:
        """Stop in a child process, without touching what its parent writes."""
        if self.end is None:
            self.end = f"it belongs to process {os.getppid()}, of which this one was forked"
            self._cleanup.detach()
            self._draft.journal.forget()

    def _stop(self, end: str) -> None:
        self.end = end
        if self.output is not None:
            self.output.discard()
        self._digest.close()


_living: weakref.WeakSet[Making] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for making in list(_living):
        making.leave_to_parent()


os.register_at_fork(after_in_child=_leave_to_parent)
