"""Where a dataset is made: what becomes of samples behind the book."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator

from ddfast.errors import DdfastError, NoTerminalError
from ddfast.tools import query_user
from ddfast.writer.book import Book, Piece
from ddfast.writer.digest import Digest


class Target(ABC):
    """A dataset in the making, which nobody sees before it is complete.

    The methods are called in the order in which they are here: `take_over`, `begin`, `write` for all samples, `finish`,
    `prepare`, `publish`; where something goes wrong, `stop` and then `leave` or `remove`, at any time.

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
        """Whether samples can be written: it was begun, and is neither finished nor stopped."""

    @abstractmethod
    def take_over(self, overwrite: bool) -> bool:
        """Decide about what is there already.

        Parameters:
            overwrite: do not ask whether it may be replaced.

        Returns:
            Whether there is something to go on with, for which `begin` may take long.

        Raises:
            FileExistsError: the user wants to keep what exists.
            KeyboardInterrupt: the user wants to stop.
        """

    @abstractmethod
    def begin(self, book: Book, digest: Digest) -> None:
        """Make room for samples; where others are gone on with, book and digest take them."""

    def old_samples(self, book: Book) -> Iterator[tuple[list[str], list[memoryview]]]:
        """What is to be appended to, as far as it is not in the book: keys and packed samples, bit by bit."""
        return iter(())

    @abstractmethod
    def write(self, piece: Piece) -> None:
        """Append samples. Waits where too many are on their way.

        Raises:
            OSError: the storage refused these, or others before.
        """

    @abstractmethod
    def finish(self) -> None:
        """Take no more samples, and see that all are written, as far as it can be seen. Errors as those of `write`."""

    @abstractmethod
    def prepare(self, book: Book, digest: str) -> None:
        """Make all other files.

        Parameters:
            book: what is known of the samples.
            digest: MD5 of the data file, in hexadecimal digits.

        Raises:
            DdfastError: the data file is not what the offsets say.
            OSError: the files could not be made.
        """

    @abstractmethod
    def publish(self) -> None:
        """Let the dataset be seen.

        Raises:
            OSError: the storage refuses; says what became of the dataset.
            KeyboardInterrupt: only when all is done.
        """

    @abstractmethod
    def stop(self) -> None:
        """Write no more."""

    def forget(self) -> None:  # noqa: B027  # most have nothing to forget
        """In a forked child: leave everything to the parent."""

    @abstractmethod
    def leave(self) -> None:
        """Keep what was written for somebody who goes on with it, if that is possible here."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what was written; but not in a child of the process that wrote it."""

    @abstractmethod
    def failed(self, error: OSError, size: int) -> OSError:
        """The error that tells the user of one that the storage gave: what is lost, and what to do.

        Parameters:
            error: what it gave.
            size: bytes of all samples.
        """


def ask(name: str, where: object) -> None:
    """Ask the user whether a dataset that exists may be overwritten.

    Parameters:
        name: of the data file.
        where: what the errors hold.

    Raises:
        FileExistsError: the user wants to keep what exists.
        NoTerminalError: there is no user; also a `FileExistsError`.
        KeyboardInterrupt: the user wants to stop.
    """
    try:
        answer = query_user(f"{name} exists, overwrite?")
    except EOFError as error:
        print()
        raise NoTerminalError(
            f"{where} exists, and nobody answers whether to overwrite it. Say overwrite=True to do so"
        ) from error
    if answer == "no":
        raise FileExistsError(where)
    if answer == "abort":
        raise KeyboardInterrupt(where)


def check_whole(where: str, size: int, book: Book, sums: array[int]) -> None:
    """Make sure that a data file of `size` bytes holds what the offsets say.

    Raises:
        DdfastError: it does not.
    """
    count, offsets = len(book), book.offsets
    if size != offsets[-1] or count + 1 != len(offsets) or count != len(sums):
        raise DdfastError(
            f"{where}: {size:,} bytes were written for {count:,} samples of {offsets[-1]:,} "
            "bytes, as it happens where a write was interrupted. Write the dataset again"
        )
