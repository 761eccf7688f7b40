"""What a writer knows of the dataset so far: keys, offsets, and samples that are not in the file yet."""

from __future__ import annotations

import reprlib
from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddfast._native.msgpack import check, check_run
from ddfast._native.write_buffer import FLUSH_DUE, REFUSED, Encoder, WriteBuffer
from ddfast._native.xxh3 import checksums
from ddfast.batch import Batch
from ddfast.errors import DuplicateKeyError, InvalidSampleError, KernelError, MissingKeyError
from ddfast.nd import encode
from ddfast.tools.msgpack import make_packer
from ddfast.writer.traps import explain, find_trap

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Samples are collected until there is this much to write and hash.
PIECE_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples that are to be written.

    Parameters:
        keys: of the samples.
        sizes: bytes of each, shape ``(len(keys),)``.
        buffers: the samples, one after the other; each buffer holds whole ones.
    """

    keys: list[str]
    sizes: NDArray[np.uint64]
    buffers: list[Buffer]

    def checksums(self) -> NDArray[np.uint64]:
        """XXH3-64 of each sample."""
        if len(self.buffers) == 1:
            return checksums(self.buffers[0], self.sizes)
        sums = np.empty(len(self.keys), np.uint64)
        ends = np.cumsum(self.sizes, dtype=np.uint64)
        first, size = 0, 0
        for buffer in self.buffers:
            size += memoryview(buffer).nbytes
            stop = int(np.searchsorted(ends, size, "right"))
            sums[first:stop] = checksums(buffer, self.sizes[first:stop])
            first = stop
        return sums


class Book:
    """Checks and packs samples, and keeps account of them. All methods leave it consistent when they raise.

    Parameters:
        name: of the data file, for errors.

    Attributes:
        buffer: takes the samples about which there is nothing to say.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        encoder = Encoder(encode)
        self._pack = make_packer(default=encoder).pack
        self.buffer = WriteBuffer(self._pack, encoder, PIECE_SIZE)
        self._keys = self.buffer.keys

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> list[str]:
        """Keys of all samples, in order."""
        return list(self._keys)

    @property
    def offsets(self) -> array[int]:
        """Offsets of all samples, and the size of all."""
        return self.buffer.offsets

    def key_of(self, sample: Any) -> Any:
        """The ``"key"`` of a sample.

        Raises:
            InvalidSampleError: the sample is no dict.
            MissingKeyError: it has no such key.
        """
        if not isinstance(sample, dict):
            raise self._invalid(
                f"is no dict but {reprlib.repr(sample)}. Put its values into a dict with a 'key'"
            )
        try:
            return sample["key"]
        except KeyError:
            names = reprlib.repr(list(sample))
            raise MissingKeyError(
                f"{self._where()} has no 'key', only {names}. Give every sample a unique string as 'key'"
            ) from None

    @property
    def is_full(self) -> bool:
        """Whether there is enough to write."""
        return self.buffer.size - self.buffer.drained >= PIECE_SIZE

    def enter(self, key: Any, sample: Any) -> bool:
        """Check and pack a sample, and take it.

        Returns:
            Whether the book `is_full`, or it is time to show how far it is.

        Raises:
            InvalidSampleError: the key is no string, or a value cannot be packed, or would be read back as
                something else.
            DuplicateKeyError: a sample has the key already.
        """
        outcome = self.buffer.add_keyed(key, sample)
        return self._enter_closely(key, sample) if outcome == REFUSED else outcome == FLUSH_DUE

    def enter_packed(self, key: Any, data: Any) -> bool:
        """Check a sample that is packed already, and take it.

        Returns:
            As `enter`.

        Raises:
            InvalidSampleError: the key is no string or cannot be encoded, or the data is not bytes, or not
                one well-formed message.
            DuplicateKeyError: a sample has the key already.
        """
        outcome = self.buffer.add_packed(key, data)
        if outcome != REFUSED:
            return outcome == FLUSH_DUE
        key = self._check_key(key)
        if not key.isascii():
            self._check_encodable(key)
        try:
            packed = data if type(data) is bytes else bytes(memoryview(data))
            check(packed)
        except TypeError:
            raise self._no_bytes(data, key) from None
        except KernelError as error:
            raise self._no_message(error, key, len(packed)) from error
        return self.buffer.add_checked(key, packed) == FLUSH_DUE

    def enter_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> bool:
        """Check samples that are packed already, and take all of them, or none if this raises.

        Returns:
            As `enter`.

        Raises:
            ValueError: there are more keys than samples, or fewer.
            InvalidSampleError, DuplicateKeyError: as those of ``enter_packed``. Where data is at fault, the
                cause is a KernelError whose ``item`` is its position among the samples.
        """
        new = self._check_keys(list(keys))
        if len(new) != len(samples):
            raise ValueError(f"{self.name}: {len(new):,} keys are given for {len(samples):,} samples")
        data, ends = samples.joined() if isinstance(samples, Batch) else self._join(list(new), samples)
        try:
            check_run(data, ends)
        except KernelError as error:
            key = list(new)[error.item]
            size = ends[error.item] - (ends[error.item - 1] if error.item else 0)
            raise self._no_message(error, key, int(size), error.item) from error
        self.buffer.add_many(new, data, ends)
        return self.buffer.is_flush_due()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return self.buffer.size

    def restore(self, keys: Iterable[str], sizes: NDArray[np.uint64]) -> None:
        """Take samples that are in the file already, and of a book that handed them over."""
        self.buffer.restore(dict.fromkeys(keys), np.cumsum(sizes, dtype=np.uint64))

    def take(self) -> Piece:
        """Hand over what is to be written."""
        keys, buffers = self.buffer.drain()
        offsets = np.array(self.offsets[-1 - len(keys) :], np.uint64)
        return Piece(keys, offsets[1:] - offsets[:-1], buffers)

    def _enter_closely(self, key: Any, sample: Any) -> bool:
        """What `enter` does, for a sample that is odd in some way."""
        if type(key) is not str or key in self._keys:
            key = self._check_key(key)
        try:
            packed = self._pack(sample)
        except Exception as error:
            raise self._invalid(f"cannot be written: {explain(error, sample)}", key) from error
        if (reason := find_trap(sample)) is not None:
            raise self._invalid(f"would be read back as something else: {reason}. Rename the key", key)
        return self.buffer.add_checked(key, packed) == FLUSH_DUE

    def _join(self, keys: list[str], samples: Sequence[Any]) -> tuple[bytes, NDArray[np.uint64]]:
        """Samples one after the other, and where each of them ends."""
        try:
            return b"".join(samples), np.cumsum(
                [memoryview(data).nbytes for data in samples], dtype=np.uint64
            )
        except TypeError:
            for ahead, data in enumerate(samples):
                try:
                    memoryview(data)
                except TypeError:
                    raise self._no_bytes(data, keys[ahead], ahead) from None
            raise

    def _check_keys(self, keys: list[Any]) -> dict[str, None]:
        """Keys of the next samples, as keys of a dict."""
        if set(map(type, keys)) <= {str}:
            new = dict.fromkeys(keys)
            # One look at all of them; where something is wrong, the slow way finds out what.
            if len(new) == len(keys) and self._keys.keys().isdisjoint(new) and "".join(keys).isascii():
                return new
        new = {}
        for key in keys:
            text = self._check_key(key, new)
            self._check_encodable(text, len(new))
            new[text] = None
        return new

    def _check_key(self, key: Any, before: Collection[str] = ()) -> str:
        """A key as plain string; `before` are those of samples that are to be taken before it."""
        ahead = len(before)
        if not isinstance(key, str):
            reason = f"has the key {reprlib.repr(key)}, which is no string. Use str(key)"
            raise self._invalid(reason, ahead=ahead)
        text: str = str.__str__(key)  # of a subclass, such as np.str_
        if text in self._keys or text in before:
            first = [*self._keys, *before].index(text)
            raise DuplicateKeyError(
                f"{self._where(text, ahead)} has the key of sample {first}. Keys must be unique: "
                "leave one of the samples out, or make the keys longer"
            )
        return text

    def _check_encodable(self, key: str, ahead: int = 0) -> None:
        try:
            key.encode()
        except UnicodeEncodeError:
            reason = "has a lone surrogate in its key, which UTF-8 cannot hold"
            raise self._invalid(reason, key, ahead) from None

    def _no_bytes(self, data: Any, key: str, ahead: int = 0) -> InvalidSampleError:
        return self._invalid(f"is not bytes but {reprlib.repr(data)}. Pack it, or use FileWriter", key, ahead)

    def _no_message(self, error: KernelError, key: str, size: int, ahead: int = 0) -> InvalidSampleError:
        return self._invalid(
            f"is not one msgpack message: {error.reason}, at byte {error.pos} of {size}. "
            "Data of other kinds must be packed first, for instance by ddfast.tools.msgpack.packb",
            key,
            ahead,
        )

    def _invalid(self, reason: str, key: str | None = None, ahead: int = 0) -> InvalidSampleError:
        return InvalidSampleError(f"{self._where(key, ahead)} {reason}")

    def _where(self, key: str | None = None, ahead: int = 0) -> str:
        """The name of a sample: `ahead` is how many are to be taken before it."""
        name = "" if key is None else f" ({reprlib.repr(key)})"
        return f"{self.name}: sample {len(self) + ahead}{name}"
