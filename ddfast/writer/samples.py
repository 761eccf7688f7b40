"""The samples of a writer: keys and offsets of all, and packed samples that are not written yet."""

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
from ddfast._util.nd import encode
from ddfast.batch import Batch
from ddfast.errors import DuplicateKeyError, InvalidSampleError, KernelError, MissingKeyError
from ddfast.tools.msgpack import make_packer
from ddfast.writer.checks import explain, find_changed

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Samples are collected until there are this many bytes to write and hash.
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PackedSamples:
    """Consecutive packed samples.

    Parameters:
        keys: of the samples.
        sizes: bytes of each sample, shape ``(len(keys),)``.
        buffers: the samples, back to back; each buffer holds complete samples.
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


class SampleBuffer:
    """Checks, packs and collects samples. A method that raises leaves it unchanged.

    Parameters:
        name: of the data file, for errors.

    Attributes:
        native: adds ordinary samples in one call.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        encoder = Encoder(encode)
        self._pack = make_packer(default=encoder).pack
        self.native = WriteBuffer(self._pack, encoder, CHUNK_BYTES)
        self._keys = self.native.keys

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    @property
    def keys(self) -> list[str]:
        """Keys of all samples, in order."""
        return list(self._keys)

    @property
    def offsets(self) -> array[int]:
        """Offsets of all samples, and the size of all samples."""
        return self.native.offsets

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return self.native.size

    @property
    def is_full(self) -> bool:
        """Whether there is a chunk to write."""
        return self.native.size - self.native.drained >= CHUNK_BYTES

    def key_of(self, sample: Any) -> Any:
        """The ``"key"`` of a sample.

        Raises:
            InvalidSampleError: the sample is not a dict.
            MissingKeyError: it has no ``"key"``.
        """
        if not isinstance(sample, dict):
            raise self._invalid(
                f"is not a dict but {reprlib.repr(sample)}. Put its values into a dict with a 'key'"
            )
        try:
            return sample["key"]
        except KeyError:
            names = reprlib.repr(list(sample))
            raise MissingKeyError(
                f"{self._where()} has no 'key', only {names}. Give every sample a unique string as 'key'"
            ) from None

    def add(self, key: Any, sample: Any) -> bool:
        """Check, pack and add a sample.

        Returns:
            Whether the buffer `is_full`, or it is time to show the progress.

        Raises:
            InvalidSampleError: the key is not a string, or a value cannot be packed, or would be read back as
                something else.
            DuplicateKeyError: an earlier sample has the key.
        """
        outcome = self.native.add_keyed(key, sample)
        return self._add_checked(key, sample) if outcome == REFUSED else outcome == FLUSH_DUE

    def add_packed(self, key: Any, data: Any) -> bool:
        """Check and add a packed sample.

        Returns:
            As `add`.

        Raises:
            InvalidSampleError: the key is not a string or cannot be encoded, or the data is not bytes, or not
                one well-formed message.
            DuplicateKeyError: an earlier sample has the key.
        """
        outcome = self.native.add_packed(key, data)
        if outcome != REFUSED:
            return outcome == FLUSH_DUE
        key = self._check_key(key)
        if not key.isascii():
            self._check_encodable(key)
        try:
            packed = data if type(data) is bytes else bytes(memoryview(data))
            check(packed)
        except TypeError:
            raise self._not_bytes(data, key) from None
        except KernelError as error:
            raise self._not_message(error, key, len(packed)) from error
        return self.native.add_checked(key, packed) == FLUSH_DUE

    def add_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> bool:
        """Check and add packed samples: all of them, or none if this raises.

        Returns:
            As `add`.

        Raises:
            ValueError: the numbers of keys and samples differ.
            InvalidSampleError, DuplicateKeyError: as those of `add_packed`. If a message is not well-formed, the
                cause is a KernelError whose ``item`` is its position in `samples`.
        """
        new = self._check_keys(list(keys))
        if len(new) != len(samples):
            raise ValueError(
                f"{self.name}: got {len(new):,} keys for {len(samples):,} samples. Pass one key per sample"
            )
        data, ends = samples.joined() if isinstance(samples, Batch) else self._join(list(new), samples)
        try:
            check_run(data, ends)
        except KernelError as error:
            key = list(new)[error.item]
            size = ends[error.item] - (ends[error.item - 1] if error.item else 0)
            raise self._not_message(error, key, int(size), error.item) from error
        self.native.add_many(new, data, ends)
        return self.native.is_flush_due()

    def restore(self, keys: Iterable[str], sizes: NDArray[np.uint64]) -> None:
        """Add samples that are in the data file already."""
        self.native.restore(dict.fromkeys(keys), np.cumsum(sizes, dtype=np.uint64))

    def take(self) -> PackedSamples:
        """Remove and return the samples that are not written yet."""
        keys, buffers = self.native.drain()
        offsets = np.array(self.offsets[-1 - len(keys) :], np.uint64)
        return PackedSamples(keys, offsets[1:] - offsets[:-1], buffers)

    def _add_checked(self, key: Any, sample: Any) -> bool:
        """Add a sample that the native code has refused, or raise why it cannot be added."""
        if type(key) is not str or key in self._keys:
            key = self._check_key(key)
        try:
            packed = self._pack(sample)
        except Exception as error:
            raise self._invalid(f"cannot be written: {explain(error, sample)}", key) from error
        if (reason := find_changed(sample)) is not None:
            raise self._invalid(reason, key)
        return self.native.add_checked(key, packed) == FLUSH_DUE

    def _join(self, keys: list[str], samples: Sequence[Any]) -> tuple[bytes, NDArray[np.uint64]]:
        """Samples back to back, and where each of them ends."""
        try:
            return b"".join(samples), np.cumsum(
                [memoryview(data).nbytes for data in samples], dtype=np.uint64
            )
        except TypeError:
            for ahead, data in enumerate(samples):
                try:
                    memoryview(data)
                except TypeError:
                    raise self._not_bytes(data, keys[ahead], ahead) from None
            raise

    def _check_keys(self, keys: list[Any]) -> dict[str, None]:
        """Check the keys of the next samples, and return them as keys of a dict."""
        if set(map(type, keys)) <= {str}:
            new = dict.fromkeys(keys)
            # One check for all keys; if it fails, the loop below finds the key at fault.
            if len(new) == len(keys) and self._keys.keys().isdisjoint(new) and "".join(keys).isascii():
                return new
        new = {}
        for key in keys:
            text = self._check_key(key, new)
            self._check_encodable(text, len(new))
            new[text] = None
        return new

    def _check_key(self, key: Any, before: Collection[str] = ()) -> str:
        """A key as a plain string; `before` are the keys of new samples before it."""
        ahead = len(before)
        if not isinstance(key, str):
            reason = f"has the key {reprlib.repr(key)}, which is not a string. Use str(key)"
            raise self._invalid(reason, ahead=ahead)
        text: str = str.__str__(key)  # converts a subclass such as np.str_
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

    def _not_bytes(self, data: Any, key: str, ahead: int = 0) -> InvalidSampleError:
        return self._invalid(f"is not bytes but {reprlib.repr(data)}. Pack it, or use FileWriter", key, ahead)

    def _not_message(self, error: KernelError, key: str, size: int, ahead: int = 0) -> InvalidSampleError:
        return self._invalid(
            f"is not one msgpack message: {error.reason}, at byte {error.pos} of {size}. "
            "Data of other kinds must be packed first, for instance by ddfast.tools.msgpack.packb",
            key,
            ahead,
        )

    def _invalid(self, reason: str, key: str | None = None, ahead: int = 0) -> InvalidSampleError:
        return InvalidSampleError(f"{self._where(key, ahead)} {reason}")

    def _where(self, key: str | None = None, ahead: int = 0) -> str:
        """The name of a sample; `ahead` is the number of new samples before it."""
        name = "" if key is None else f" ({reprlib.repr(key)})"
        return f"{self.name}: sample {len(self) + ahead}{name}"
