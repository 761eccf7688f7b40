from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

def hash_key(key: str, salt: bytes = b"") -> int:
    """First 8 bytes of a key's BLAKE2s digest, read as a big-endian integer.

    Parameters:
        key: text; its UTF-8 is hashed.
        salt: up to 8 bytes; a shorter one is padded with zeros.

    Raises:
        UnicodeEncodeError: the key contains a lone surrogate.
        ValueError: the salt is too long.
    """

def hash_keys(keys: list[str], salt: bytes) -> NDArray[np.uint64]:
    """`hash_key` of every key; uint64, shape ``(len(keys),)``. Errors as `hash_key`."""

def bloom_add(filter: Buffer, probes: int, keys: list[str]) -> None:
    """Add keys to a Bloom filter as simplebloom adds them.

    Parameters:
        filter: its bits; writable, changed in place.
        probes: how many bits are set for each key.
        keys: the keys.

    Raises:
        UnicodeEncodeError: a key contains a lone surrogate; the keys before it may have been added.
        ValueError: the filter has no bits.
    """

class KeyTable:
    """From key to sample index: the content of a key hash file and a table over it.

    Each key takes 8 bytes in the buffer (pages of the file, if it is mapped) and 5.3 to 10.7 in the table.
    The buffer stays exported while the table lives.

    Parameters:
        buffer: 8 bytes of salt, then one big-endian uint64 hash per key; any contiguous buffer.
        slot_size: bytes of a slot, 4 or 8; 0 for the size that the number of keys requires.

    Raises:
        ValueError: the length of the buffer is not that of a salt and complete hashes.
        KernelError: two hashes are equal (E_COLLISION; `item` is the second), or they are so unevenly
            distributed that they cannot be hashes (E_LIMIT).
    """

    def __init__(self, buffer: Buffer | NDArray[Any], slot_size: int = 0) -> None: ...
    def __len__(self) -> int:
        """Number of keys."""
    @property
    def salt(self) -> bytes:
        """The 8 bytes of salt."""
    @property
    def nbytes(self) -> int:
        """Bytes of table and buffer together."""
    def find(self, key: str) -> int:
        """Index of the sample with this key, or -1.

        Only hashes are compared: a key that is not in the dataset is taken for another key with a probability of
        ``len(self) / 2**64``.
        """

class PackedStrings:
    """The strings of a msgpack file: the items of an array, or the keys of a map from strings to numbers.

    Opening reads only the header; the first use of a string scans the file once and keeps 8 bytes per string.
    The buffer stays exported while the object lives.

    Parameters:
        buffer: the file's content; any contiguous buffer.
        pairs: the file is a map.

    Raises:
        KernelError: the file does not start with such a header, or is too short for the number of items in it.
    """

    def __init__(self, buffer: Buffer | NDArray[Any], pairs: bool = False) -> None: ...
    def __len__(self) -> int:
        """Number of strings."""
    def scan(self) -> NDArray[np.uint64]:
        """Find and check all strings. Done by the first method that needs it.

        Returns:
            The numbers that the strings of a map are mapped to; empty for an array.

        Raises:
            KernelError: the file is damaged; `item` and `pos` are the place. All methods below raise it too.
        """
    def get(self, index: int) -> str:
        """One string; KernelError (E_INDEX) for an index outside ``[0, len(self))``."""
    def get_range(self, start: int, stop: int) -> list[str]:
        """The strings from `start` up to `stop`."""
    def take(self, indices: NDArray[np.int64]) -> list[str]:
        """The strings of these indices; KernelError (E_INDEX, `item` is the position) for an index outside."""
    def hashes(self, salt: bytes) -> NDArray[np.uint64]:
        """`hash_key` of every string."""
