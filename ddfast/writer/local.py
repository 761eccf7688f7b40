"""A dataset in the making that is a file: a draft beside it, which somebody may go on with."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np

from ddfast.dataset.local import LocalDataset, level_of_caller
from ddfast.errors import DdfastError, ResumeError
from ddfast.format.journal import Story
from ddfast.tools import make_printer
from ddfast.writer.book import Book, Piece
from ddfast.writer.digest import Digest
from ddfast.writer.draft import Draft, name_dataset
from ddfast.writer.leftover import whole_samples
from ddfast.writer.output import Output
from ddfast.writer.target import Target, ask

APPEND_BYTES = 1 << 20
APPEND_SAMPLES = 1 << 14


class LocalTarget(Target):
    """A draft, its journal and its index.

    Parameters:
        outfile: path of the data file; missing folders are made.
        resume: go on with a draft that is there.
        append: begin with the samples of the dataset that is there.
        checksums: make a checksums file.
        silent: show no progress of reading a draft; None only on a terminal.

    Attributes:
        output: the data file, once it was begun.

    Raises:
        DatasetBusyError: another writer is at work on it.
    """

    def __init__(
        self,
        outfile: str | os.PathLike[str],
        resume: bool,
        append: bool,
        checksums: bool,
        silent: bool | None = False,
    ) -> None:
        self.path = name_dataset(outfile)
        super().__init__(self.path.name, str(self.path))
        self._resume, self._append, self._silent = resume, append, silent
        self._draft = Draft(self.path, checksums)
        self._left: Story | None = None
        self.output: Output | None = None

    @property
    def is_open(self) -> bool:
        """Whether the data file is open."""
        return self.output is not None and not self.output.is_closed

    def take_over(self, overwrite: bool) -> bool:
        """Look for a draft, and ask about a dataset."""
        left = self._draft.left()
        if left is not None and self._resume:
            self._left = left
            return True
        if not overwrite and not self._append and self.path.exists():
            ask(self.name, self.path)
        if left is not None:
            warnings.warn(
                f"{self.path}: {self._draft.data.stat().st_size:,} bytes are thrown away that a writer left which "
                "was stopped. With resume=True a writer goes on with them",
                stacklevel=level_of_caller(),
            )
        return self._append

    def begin(self, book: Book, digest: Digest) -> None:
        """Make the files, or go on with those that are there."""
        if self._left is None:
            self._draft.clear()
        else:
            self._restore(self._left, book, digest)
        self.output = Output(self._draft.data, resume=self._left is not None)
        self._left = None

    def _restore(self, story: Story, book: Book, digest: Digest) -> None:
        """Go on with the whole samples of a draft."""
        found: list[Piece] = []
        bar = make_printer(
            desc=f"{self.name}: going on",
            total=self._draft.data.stat().st_size,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=self._silent,
        )
        with contextlib.closing(bar):
            for piece in whole_samples(self._draft.data, story):
                if len(book) >= len(story.keys):
                    found.append(Piece(piece.keys, piece.sizes, []))
                book.restore(piece.keys, piece.sizes)
                self._draft.sums.frombytes(piece.checksums().tobytes())
                digest.update(piece.buffers)
                bar.update(int(piece.sizes.sum()))
        os.truncate(self._draft.data, book.size)
        self._continue_journal(story, len(book))
        self._note_found(found, len(story.keys))

    def _continue_journal(self, story: Story, count: int) -> None:
        """Have the journal tell of the first so many samples."""
        journal = self._draft.journal
        if story.end:
            journal.cut(story.end)
            journal.sign()
        else:
            journal.begin()
        if count < len(story.keys):
            journal.add("kept", count)

    def _note_found(self, found: list[Piece], first: int) -> None:
        """Tell the journal of samples that it did not know."""
        for piece in found:
            sums = np.array(self._draft.sums[first : first + len(piece.keys)], np.uint64)
            self._draft.journal.add_samples(piece.keys, piece.sizes, sums)
            first += len(piece.keys)

    def old_samples(self, book: Book) -> Iterator[tuple[list[str], list[memoryview]]]:
        """What is to be appended to, as far as it is not in the draft: keys and packed samples, bit by bit.

        They take the way of all samples: read once, checked, hashed and written by threads, while a copy in the kernel
        would have to be read again for its digest.

        Raises:
            ResumeError: the draft was begun by a writer that did not append.
        """
        if not self._append or not self.path.exists():
            return
        old = LocalDataset(self.path)
        known = book.keys[: len(old)]
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

    def write(self, piece: Piece) -> None:
        """Append samples, of which the journal knows before."""
        assert self.output is not None
        self.output.write(piece.buffers, partial(self._draft.note, piece))

    def finish(self) -> None:
        """Wait until all samples are in the draft, and close it."""
        assert self.output is not None
        self.output.close()

    def prepare(self, book: Book, digest: str) -> None:
        """Write the index, and see all files safe on the disk."""
        self._draft.prepare(book, digest)

    def publish(self) -> None:
        """Give all files their names."""
        self._draft.publish()

    def stop(self) -> None:
        """Close the data file."""
        if self.output is not None:
            self.output.discard()

    def forget(self) -> None:
        """Leave the lock to the parent."""
        self._draft.journal.forget()

    def leave(self) -> None:
        """Keep the draft."""
        self._draft.leave()

    def remove(self) -> None:
        """Remove the draft."""
        self._draft.remove()

    def failed(self, error: OSError, size: int) -> OSError:
        """Says how much is missing, and that the draft is there."""
        if isinstance(error, DdfastError):
            return error
        try:
            written = self._draft.data.stat().st_size
        except OSError:
            written = 0
        reason = (
            f"{error.strerror or error}: {max(0, size - written):,} of {size:,} bytes are not in the file. The old "
            "dataset, if any, is untouched. Samples so far are kept: resume=True goes on with them, "
            f"`ddfast recover {self.path}` makes a dataset of them, and with --discard removes them"
        )
        if error.errno is None:
            return type(error)(f"{self.path}: {reason}")
        return OSError(error.errno, reason, str(self.path))
