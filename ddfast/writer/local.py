"""An unfinished dataset on a file system: a draft next to the data file, which a later writer can continue."""

from __future__ import annotations

import contextlib
import os
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from ddfast._util.caller import level_of_caller
from ddfast.dataset.local import LocalDataset
from ddfast.errors import DdfastError, ResumeError
from ddfast.format.drafts import make_writable, not_regular, open_regular, status_of
from ddfast.format.files import SUFFIX_CHECKSUMS, draft_path, real_path
from ddfast.format.journal import JournalState
from ddfast.format.publication import model_of, open_journal, publication_of, sync
from ddfast.tools import make_printer
from ddfast.writer.data_file import DataFile
from ddfast.writer.destination import CLOSE, Destination, ask_to_overwrite, check_size
from ddfast.writer.digest import Digest
from ddfast.writer.index_files import IndexFile, IndexFiles, publish, release, remove_files
from ddfast.writer.names import check_path
from ddfast.writer.restore import intact_samples
from ddfast.writer.samples import PackedSamples, SampleBuffer

# Copied at a time from the dataset to append to.
APPEND_BYTES = 1 << 20
APPEND_SAMPLES = 1 << 14


class LocalDestination(Destination):
    """A draft, its journal and its index files. The journal excludes other writers.

    Parameters:
        outfile: path of the data file; missing folders are created.
        resume: continue an existing draft.
        append: start with the samples of the existing dataset.
        checksums: write a checksums file.
        silent: do not show the progress of reading a draft; None to show it on a terminal only.

    Attributes:
        data: the data file, after `begin`.

    Raises:
        DatasetBusyError: another writer is writing the dataset.
        UnfinishedDatasetError: another writer died while it renamed its files, and they cannot be renamed now.
        IsADirectoryError, ValueError: as `check_path`.
    """

    def __init__(
        self,
        outfile: str | os.PathLike[str],
        resume: bool,
        append: bool,
        checksums: bool,
        silent: bool | None = False,
    ) -> None:
        self.path = check_path(outfile)
        super().__init__(self.path.name, str(self.path))
        self._resume, self._append, self._silent = resume, append, silent
        self._draft = draft_path(self.path)
        self._index = IndexFiles(self.path, checksums)
        self._sums = array("Q")
        self._earlier: JournalState | None = None  # of the draft to continue
        self._owner = os.getpid()
        self._journal = open_journal(self.path)
        self.data: DataFile | None = None

    @property
    def is_open(self) -> bool:
        """Whether samples can be written."""
        return self.data is not None and self.data.is_open

    def claim(self, overwrite: bool) -> bool:
        """Look for a draft, and ask whether an existing dataset may be overwritten."""
        draft = status_of(self._draft)
        left = 0 if draft is None else draft.st_size
        if self._resume and draft is None and os.path.lexists(self._draft):
            raise not_regular(self._draft)
        if left and self._resume:
            self._earlier = self._journal.read()
            return True
        if not overwrite and not self._append and self.path.exists():
            leads_to = f", a link to {real_path(self.path)}," if self.path.is_symlink() else ""
            ask_to_overwrite(f"{self.name}{leads_to}", self.path)
        if left:
            warnings.warn(
                f"{self.path}: the draft of a writer that was stopped is removed ({left:,} bytes). "
                "Pass resume=True to continue a draft",
                stacklevel=level_of_caller(),
            )
        return self._append

    def begin(self, samples: SampleBuffer, digest: Digest) -> None:
        """Create the draft, or continue an existing one."""
        if self._earlier is None:
            remove_files([self._draft])
            self._index.remove()
            self._journal.begin()
        else:
            make_writable(self._draft)
            self._restore(self._earlier, samples, digest)
        self.data = DataFile(self._draft, self._earlier is not None, model_of(self.path))
        self._earlier = None

    def _restore(self, journal: JournalState, samples: SampleBuffer, digest: Digest) -> None:
        """Continue with the intact samples of a draft."""
        unlisted: list[PackedSamples] = []
        bar = make_printer(
            desc=f"{self.name}: reading the draft",
            total=self._draft.lstat().st_size,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=self._silent,
        )
        with contextlib.closing(bar):
            for chunk in intact_samples(self._draft, journal):
                if len(samples) >= len(journal.keys):
                    unlisted.append(PackedSamples(chunk.keys, chunk.sizes, []))
                samples.restore(chunk.keys, chunk.sizes)
                self._sums.frombytes(chunk.checksums().tobytes())
                digest.update(chunk.buffers)
                bar.update(int(chunk.sizes.sum()))
        with open_regular(self._draft, write=True) as file:
            file.truncate(samples.size)
        self._repair_journal(journal, len(samples))
        self._list_samples(unlisted, len(journal.keys))

    def _repair_journal(self, journal: JournalState, count: int) -> None:
        """Make the journal end with an intact record, and list no more than `count` samples."""
        if journal.end:
            self._journal.truncate(journal.end)
            self._journal.write_header()
        else:
            self._journal.begin()
        if count < len(journal.keys):
            self._journal.add("kept", count)

    def _list_samples(self, chunks: list[PackedSamples], first: int) -> None:
        """List restored samples that the journal lacks; `first` is the index of the first one."""
        for chunk in chunks:
            sums = np.array(self._sums[first : first + len(chunk.keys)], np.uint64)
            self._journal.add_samples(chunk.keys, chunk.sizes, sums)
            first += len(chunk.keys)

    def old_samples(self, samples: SampleBuffer) -> Iterator[tuple[list[str], list[memoryview]]]:
        """Keys and packed samples of the dataset to append to, in chunks.

        They are written like all other samples: read once, checked, and hashed and written by threads. A copy by the
        kernel would have to be read again for the digest.

        Raises:
            ResumeError: the writer of the draft did not append.
        """
        if not self._append or not self.path.exists():
            return
        old = LocalDataset(self.path)
        known = samples.keys[: len(old)]
        if known != list(old.keys[: len(known)]):
            raise ResumeError(
                f"{self.path}: the draft does not begin with the samples of the dataset, so its writer did not append. "
                "Continue it without append=True, or remove it with `ddfast recover --discard`"
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

    def write(self, chunk: PackedSamples) -> None:
        """Append samples, after they are listed in the journal."""
        assert self.data is not None
        self.data.write(chunk.buffers, partial(self._note, chunk))

    def _note(self, chunk: PackedSamples) -> None:
        sums = chunk.checksums()
        self._journal.add_samples(chunk.keys, chunk.sizes, sums)
        self._sums.frombytes(sums.tobytes())

    def flush(self) -> None:
        """Wait until all samples are in the draft, apart from the system's own delay in writing to the disk."""
        assert self.data is not None
        self.data.flush()

    def finish(self) -> None:
        """Wait until all samples are in the draft."""
        assert self.data is not None
        self.data.finish()

    def index_files(self, samples: SampleBuffer, digest: str) -> Iterator[IndexFile]:
        """Name and content of each index file. The draft is flushed to the disk meanwhile."""
        assert self.data is not None
        check_size(self.where, self._draft.lstat().st_size, samples, self._sums)
        self.data.start_sync()
        sums = self._sums if SUFFIX_CHECKSUMS in self._index.suffixes else None
        yield from self._index.contents(samples.keys, samples.offsets, [(self.name, digest)], sums)

    def sync(self) -> None:
        """Flush all files and folders to the disk."""
        assert self.data is not None
        paths = [*self._index.paths, *{self._draft.parent, self.path.parent}]
        try:
            with ThreadPoolExecutor(len(paths)) as threads:  # a file system flushes several files at once
                list(threads.map(sync, paths))
        except RuntimeError:  # the interpreter is exiting
            for path in paths:
                sync(path)
        self.data.wait()

    def publish(self) -> None:
        """Rename all files to their final names."""
        publish(self.path, publication_of(self.path, self._index.suffixes, data=True), self._journal)

    def stop(self) -> None:
        """Close the data file."""
        if self.data is not None:
            self.data.close()

    def stop_in_child(self) -> None:
        """Leave the lock to the parent."""
        self._journal.close_in_child()

    def keep(self) -> None:
        """Keep the draft, and release the lock."""
        if os.getpid() == self._owner:
            release(self.path, self._journal)

    def keep_unclosed(self, unwritten: Callable[[int], Iterable[PackedSamples]]) -> str:
        """Keep the draft with all samples, or remove it if there is none."""
        if os.getpid() != self._owner:
            return ""
        if self.data is None:
            self.keep()
            return ""
        reason = ""
        try:
            self.data.leave_thread()
            for chunk in unwritten(len(self._sums)):
                self.write(chunk)
            self.data.finish()
        except OSError as error:
            reason = f" ({error.strerror or error})"
        count = len(self._sums)
        self.data.close()
        if not count and not reason:
            self.remove()
            return ""
        self.keep()
        return (
            f"the writer of {self.path} was not closed, so there is no new dataset. Its samples are kept ({count:,})"
            f"{reason}: `ddfast recover {self.path}` makes a dataset of them, or removes them with --discard; "
            f"resume=True continues. {CLOSE}"
        )

    def remove(self) -> None:
        """Remove all temporary files."""
        if os.getpid() == self._owner and self._journal.is_open:
            remove_files([self._draft])
            self._index.remove()
            self._journal.remove()

    def explain(self, error: OSError, size: int) -> OSError:
        """The error with the number of missing bytes and what to do about the draft."""
        if isinstance(error, DdfastError):
            return error
        try:
            written = self._draft.lstat().st_size
        except OSError:
            written = 0
        reason = (
            f"{error.strerror or error}: {max(0, size - written):,} of {size:,} bytes are not in the file. The "
            "existing dataset, if any, is unchanged. The samples written so far are kept: write with resume=True to "
            f"continue, run `ddfast recover {self.path}` to make a dataset of them, or add --discard to remove them"
        )
        if error.errno is None:
            return type(error)(f"{self.path}: {reason}")
        return OSError(error.errno, reason, str(self.path))
