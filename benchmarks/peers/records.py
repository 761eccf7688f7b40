"""Samples as records of bytes, for peers that store only bytes: a head, the key, the payload.

This is about the minimum for a program, and less work than any general serialiser.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.collating import collate
from benchmarks.peers.contract import Columns, Sample

HEAD = struct.Struct("<qBB")  # label, bytes of the key, whether the payload is a float32 array
START = HEAD.size


def pack(sample: Sample) -> bytes:
    """A record."""
    key = sample["key"].encode()
    if "vec" in sample:
        return HEAD.pack(sample["label"], len(key), 1) + key + sample["vec"].tobytes()
    return HEAD.pack(sample["label"], len(key), 0) + key + sample["image"]


def unpack(record: bytes) -> Sample:
    """The sample of a record."""
    label, length, is_array = HEAD.unpack_from(record)
    end = START + length
    key = record[START:end].decode()
    if is_array:
        return {"key": key, "vec": np.frombuffer(record, np.float32, offset=end), "label": label}
    return {"key": key, "image": record[end:], "label": label}


def columns(records: Sequence[bytes]) -> Columns:
    """Records as columns. Records of arrays have equal layouts, so numpy splits all of them at once."""
    _, length, is_array = HEAD.unpack_from(records[0])
    if not is_array:
        return collate([unpack(record) for record in records])
    table = np.frombuffer(b"".join(records), dtype=layout(length, len(records[0])))
    return {"key": table["key"], **{name: np.ascontiguousarray(table[name]) for name in ("vec", "label")}}


def layout(key_bytes: int, record_bytes: int) -> Any:
    """Fields of a record with an array."""
    floats = (record_bytes - START - key_bytes) // 4
    return np.dtype(
        [
            ("label", "<i8"),
            ("key_bytes", "u1"),
            ("is_array", "u1"),
            ("key", f"S{key_bytes}"),
            ("vec", "<f4", (floats,)),
        ]
    )
