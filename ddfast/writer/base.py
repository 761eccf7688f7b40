"""What blocking and asynchronous writers have in common: they write samples to a destination and publish it."""

from __future__ import annotations

import contextlib
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

from ddfast._util.terminal import is_hidden
from ddfast.errors import ClosedError, StorageOptionError
from ddfast.storage import is_url
from ddfast.writer.destination import Destination
from ddfast.writer.digest import Digest
from ddfast.writer.index_files import IndexFile
from ddfast.writer.local import LocalDestination
from ddfast.writer.samples import SampleBuffer
from ddfast.writer.unclosed import UnwrittenSamples, keep_unclosed

if TYPE_CHECKING:
    from ddfast.tools import ProgressPrinter

# Seconds between calls of the progress bar: a call takes as long as packing a small sample.
TICK = 0.1


class BaseWriter(ABC):
    """Samples, their digest and their destination. Parameters are those of `Writer`."""

    def __init__(
        self,
        outfile: str | os.PathLike[str],
        buffering: int = 0,
        overwrite: bool = False,
        *,
        resume: bool = False,
        append: bool = False,
        checksums: bool = True,
        storage_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._end: str | None = None  # why no more samples are accepted
        self._resume = resume
        self._destination = open_destination(
            outfile, resume, append, checksums, storage_options or {}, kwargs.get("disable", False)
        )
        try:
            self._is_ready = not self._destination.claim(overwrite)
            self._samples = SampleBuffer(self._destination.name)
            self._progress = Progress(self._destination.name, kwargs)
        except BaseException:
            self._destination.keep()
            raise
        self._digest = Digest()
        self._unwritten = UnwrittenSamples(self._samples)
        self._is_managed = False  # whether a `with` statement ends the writer
        self._cleanup = weakref.finalize(self, keep_unclosed, self._destination, self._unwritten)
        _open_writers.add(self)
        self._start()

    def __contains__(self, key: object) -> bool:
        """Whether a sample with this key is written."""
        return key in self._samples

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._destination.where!r}: {self.written:,} samples>"

    @property
    def written(self) -> int:
        """Number of samples so far."""
        return len(self._samples)

    @abstractmethod
    def write(self, *args: Any) -> Any:
        """Write one sample."""

    # -- steps that may wait for files: a writer on an event loop calls them in threads

    def _start(self) -> None:
        """Create the files, unless that may take long."""
        if self._is_ready:
            self._begin()

    def _begin(self) -> None:
        """Create the files, or restore those of an earlier writer."""
        with self._stopping_on_error():
            self._destination.begin(self._samples, self._digest)

    def _write_chunks(self) -> None:
        """Write all samples taken from the buffer, in order. May wait."""
        with self._stopping_on_error(), self._unwritten.lock:
            chunks = self._unwritten.chunks
            while chunks:
                chunk = chunks[0][1]
                self._digest.update(chunk.buffers)
                self._destination.write(chunk)
                chunks.popleft()

    def _flush_destination(self) -> None:
        """Wait until all samples taken from the buffer stay if the process is killed."""
        with self._stopping_on_error():
            self._destination.flush()

    def _index_files(self) -> Iterator[IndexFile]:
        """Complete the data file. Yields name and content of each index file, for the caller to write; then syncs."""
        self._destination.finish()
        yield from self._destination.index_files(self._samples, self._digest.hexdigest())
        self._destination.sync()

    def _publish(self) -> None:
        """Make the dataset visible to readers."""
        self._cleanup.detach()
        self._stop("it is closed")
        self._destination.publish()
        self._progress.close(self.written, finished=True)

    def _abandon(self) -> None:
        """Stop without a dataset: remove what was written; or with ``resume``, write all samples to the draft."""
        if self._end is not None:
            return
        self._end = "its dataset was discarded"
        self._samples.native.is_closed = True
        self._cleanup.detach()
        if self._resume:
            with self._unwritten.lock:
                self._destination.keep_unclosed(self._unwritten.behind)
            self._digest.close()
        else:
            self._stop(self._end)
            self._destination.remove()
        self._progress.close(self.written, finished=False)

    def _keep_unclosed(self) -> None:
        """Stop after an interrupt: write all samples to the draft, and say so."""
        if self._end is None:
            self._end = "it was interrupted"
            self._samples.native.is_closed = True
            self._progress.close(self.written, finished=False)
            self._cleanup()
            self._digest.close()

    def _remove(self) -> None:
        """Stop and remove what was written."""
        if self._end is None:
            self._resume = False
            self._stop("its dataset was discarded")
            self._cleanup.detach()
            self._destination.remove()
            self._progress.close(self.written, finished=False)

    def _stop(self, end: str) -> None:
        self._end = end
        self._samples.native.is_closed = True
        self._destination.stop()
        self._digest.close()

    # -- errors

    @contextlib.contextmanager
    def _stopping_on_error(self) -> Iterator[None]:
        """Stop after an error; see `_fail` for one of the storage. An interrupt outside of a block discards nothing."""
        try:
            yield
        except OSError as error:
            self._fail(error)
        except BaseException:
            if self._is_managed:
                self._abandon()
            else:
                self._keep_unclosed()
            raise

    def _fail(self, error: OSError) -> NoReturn:
        """Stop after an error of the storage, keep what was written, and raise the error with advice."""
        if self._end is None:
            self._stop("a write failed")
            self._cleanup.detach()
            self._destination.keep()
            self._progress.close(self.written, finished=False)
        explained = self._destination.explain(error, self._samples.size)
        if explained is error:
            raise error
        raise explained from error

    def _closed(self) -> ClosedError:
        """The error for a sample after the end."""
        return ClosedError(
            f"{self._destination.where}: the writer accepts no more samples, {self._end}. Open another one"
        )

    def _show_progress(self) -> None:
        """Show the number of samples, if it is time."""
        if monotonic() >= self._progress.due:
            self._progress.show(self.written)
            self._samples.native.due = self._progress.due

    def _stop_in_child(self) -> None:
        """Stop in a forked process, without touching what the parent writes."""
        if self._end is None:
            self._end = f"it belongs to process {os.getppid()}, of which this one was forked"
            self._samples.native.is_closed = True
            self._cleanup.detach()
            self._destination.stop_in_child()


_open_writers: weakref.WeakSet[BaseWriter] = weakref.WeakSet()


def _stop_all_in_child() -> None:
    for writer in list(_open_writers):
        writer._stop_in_child()


os.register_at_fork(after_in_child=_stop_all_in_child)


class Progress:
    """Shows the number of samples on the terminal.

    Parameters:
        name: of the dataset.
        options: for `ddfast.tools.make_printer`; ``disable`` also silences the last line.

    Attributes:
        due: when `show` is to be called next, on the clock of ``time.monotonic``.
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._silent = options.get("disable", False)
        self._printer = None if is_hidden(**options) else _make_printer(name, options)
        self._shown = 0
        self.due = 0.0

    def show(self, written: int) -> None:
        """Show how many samples are written."""
        if self._printer is not None:
            self._printer(written - self._shown)
        self._shown = written
        self.due = inf if self._printer is None else monotonic() + TICK

    def close(self, written: int, finished: bool) -> None:
        """Show the last number, and print it on a separate line if the dataset is finished."""
        self.show(written)
        if self._printer is not None:
            self._printer.close()
        if finished and not self._silent:
            print(f"{written} samples written")


def _make_printer(name: str, options: dict[str, Any]) -> ProgressPrinter:
    from ddfast.tools import make_printer  # importing tqdm takes longer than writing a small dataset

    return make_printer(**{"desc": name, **options})


def open_destination(
    outfile: str | os.PathLike[str],
    resume: bool,
    append: bool,
    checksums: bool,
    storage_options: Mapping[str, Any],
    silent: bool | None,
) -> Destination:
    """The destination for a path or URL. Parameters and errors are those of `Writer`; `silent` is ``disable``."""
    if is_url(outfile):
        from ddfast.storage.backends.files import path_of
        from ddfast.storage.urls import scheme_of, shown

        url = os.fspath(outfile)
        if scheme_of(url) != "file":
            from ddfast.writer.remote import RemoteDestination

            for option, wanted in (("resume", resume), ("append", append)):
                if wanted:
                    raise ValueError(
                        f"{shown(url)} is a URL, and {option}=True is for local files only: an upload cannot be "
                        "continued. Write the dataset to a local disk, and copy its files"
                    )
            return RemoteDestination(url, checksums, storage_options)
        outfile = path_of(url)
    elif ":/" in os.fspath(outfile):
        from ddfast.storage.urls import refuse_mangled

        refuse_mangled(outfile)
    if storage_options:
        names = ", ".join(sorted(storage_options))
        raise StorageOptionError(
            f"{os.fspath(outfile)} is a local file, which has no storage options ({names})"
        )
    return LocalDestination(outfile, resume, append, checksums, silent)
