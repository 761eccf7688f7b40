"""Where a writer writes its dataset: the steps between the samples and a published dataset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator

from ddfast.errors import DdfastError, NoTerminalError
from ddfast.tools import query_user
from ddfast.writer.digest import Digest
from ddfast.writer.index_files import IndexFile
from ddfast.writer.samples import PackedSamples, SampleBuffer

CLOSE = "Use writers in a `with` statement, or call close()"


class Destination(ABC):
    """An unfinished dataset, which readers do not see before it is complete.

    The methods are called in the order given here: `claim`, `begin`, `write` for all samples, `finish`, `index_files`,
    `sync`, `publish`. After an error `stop` is called, and then `keep` or `remove`, at any time.

    Parameters:
        name: of the data file, without folders.
        where: the data file as errors name it.
    """

    def __init__(self, name: str, where: str) -> None:
        self.name = name
        self.where = where

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether samples can be written: after `begin`, before `finish` or `stop`."""

    @abstractmethod
    def claim(self, overwrite: bool) -> bool:
        """Check what exists under the name.

        Parameters:
            overwrite: replace a dataset without asking the user.

        Returns:
            Whether there are samples to restore or append to, so that `begin` may take long.

        Raises:
            FileExistsError: the user wants to keep the dataset.
            KeyboardInterrupt: the user wants to stop.
        """

    @abstractmethod
    def begin(self, samples: SampleBuffer, digest: Digest) -> None:
        """Create the data file; or restore samples of an earlier writer, which are added to `samples` and `digest`."""

    def old_samples(self, samples: SampleBuffer) -> Iterator[tuple[list[str], list[memoryview]]]:
        """Keys and packed samples of the dataset to append to, as far as they are not restored, in chunks."""
        return iter(())

    @abstractmethod
    def write(self, chunk: PackedSamples) -> None:
        """Append samples. Waits while too many are being written.

        Raises:
            OSError: these or earlier samples could not be written.
        """

    def flush(self) -> None:  # noqa: B027  # remote storage keeps nothing after a kill
        """Wait until all samples are where they stay if the process is killed. Errors as those of `write`."""

    @abstractmethod
    def finish(self) -> None:
        """Wait until all samples are written, if that is known here. Errors as those of `write`."""

    @abstractmethod
    def index_files(self, samples: SampleBuffer, digest: str) -> Iterator[IndexFile]:
        """Name and content of each index file, for the caller to write.

        Parameters:
            samples: all samples.
            digest: MD5 of the data file, in hexadecimal digits.

        Raises:
            DdfastError: the data file has the wrong size.
            OSError: a folder cannot be created.
        """

    def sync(self) -> None:  # noqa: B027  # remote storage has nothing to flush
        """Flush all files to the disk.

        Raises:
            OSError: a file cannot be flushed.
        """

    @abstractmethod
    def publish(self) -> None:
        """Make the dataset visible to readers.

        Raises:
            OSError: the storage refused; the message says what state the dataset is in.
            KeyboardInterrupt: only after everything is done.
        """

    @abstractmethod
    def stop(self) -> None:
        """End writing; samples that are not written yet are dropped."""

    def stop_in_child(self) -> None:  # noqa: B027  # most destinations hold nothing that a child shares
        """In a forked process: leave the dataset to the parent."""

    @abstractmethod
    def keep(self) -> None:
        """Keep the samples written so far for a later writer, if that is possible here."""

    @abstractmethod
    def keep_unclosed(self, unwritten: Callable[[int], Iterable[PackedSamples]]) -> str:
        """End writing, and keep all samples of a writer that was never closed, if that is possible here.

        No thread is started: the interpreter may be exiting.

        Parameters:
            unwritten: all samples that are not among the first ones, whose number is given.

        Returns:
            What happened to the samples, for the user; empty if there were none.
        """

    @abstractmethod
    def remove(self) -> None:
        """Remove what was written, except in a child of the process that wrote it."""

    @abstractmethod
    def explain(self, error: OSError, size: int) -> OSError:
        """The error to raise for an error of the storage: it says what is lost, and what to do.

        Parameters:
            error: of the storage.
            size: bytes of all samples.
        """


def ask_to_overwrite(name: str, where: object) -> None:
    """Ask the user whether an existing dataset may be overwritten.

    Parameters:
        name: of the data file.
        where: argument of the errors.

    Raises:
        FileExistsError: the user wants to keep the dataset.
        NoTerminalError: there is no terminal to ask at; also a `FileExistsError`.
        KeyboardInterrupt: the user wants to stop.
    """
    try:
        answer = query_user(f"{name} exists, overwrite?")
    except EOFError as error:
        print()
        raise NoTerminalError(
            f"{where} exists, and there is no terminal to ask whether to overwrite it. "
            "Pass overwrite=True to overwrite it"
        ) from error
    if answer == "no":
        raise FileExistsError(where)
    if answer == "abort":
        raise KeyboardInterrupt(where)


def check_size(where: str, size: int, samples: SampleBuffer, sums: array[int]) -> None:
    """Check that a data file of `size` bytes matches the offsets.

    Raises:
        DdfastError: it does not.
    """
    count, offsets = len(samples), samples.offsets
    if size != offsets[-1] or count + 1 != len(offsets) or count != len(sums):
        raise DdfastError(
            f"{where}: {size:,} bytes were written for {count:,} samples of {offsets[-1]:,} bytes: "
            "a write was interrupted. Write the dataset again"
        )
