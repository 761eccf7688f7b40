"""Damage to the files of a dataset, as by crashes, bad disks and attackers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

import msgpack

Files = dict[str, bytes]  # suffix ("" for the data): content

LARGE = [0, 1, 2**31 - 1, 2**32 - 1, 2**62, 2**63, 2**64 - 1]
LENGTHS = {
    0xC4: 1,
    0xC5: 2,
    0xC6: 4,
    0xC7: 1,
    0xC8: 2,
    0xC9: 4,
    0xD9: 1,
    0xDA: 2,
    0xDB: 4,
    0xDC: 2,
    0xDD: 4,
    0xDE: 2,
    0xDF: 4,
}
DTYPES = [
    b"<f4",
    b"|O",
    b"<f8",
    b"V1000000000",
    b"<U999999999",
    b"|S0",
    b"<M8[us]",
    b"f4,f4",
    b"<f3",
    b"O",
    b"(9999999,)f8",
]


def array_of(shape: list[int]) -> bytes:
    """An array without bytes."""
    return bytes(msgpack.packb({b"nd": True, b"type": "<f4", b"kind": b"", b"shape": shape, b"data": b""}))


def colliding_map(size: int) -> bytes:
    """A map with complex numbers as keys whose hashes are all equal."""
    keys = ({b"complex": True, b"data": repr(complex(-1000003.0 * k, k))} for k in range(1, size + 1))
    return b"\xde" + size.to_bytes(2, "big") + b"".join(msgpack.packb(key) + b"\xc0" for key in keys)


NASTY = [
    b"\xc1",
    b"\x91" * 5000,
    b"\x81\xc4\x02nd\xc3",
    msgpack.packb({b"nd": True, b"type": "<f8", b"kind": b"", b"shape": [2**62, 4], b"data": b""}),
    msgpack.packb(
        {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": b"cos\nsystem\n(S'x'\ntR."}
    ),
    msgpack.packb({b"complex": True, b"data": "1e999j"}),
    b"\x82" + msgpack.packb(b"complex") + b"\xc3" + msgpack.packb(b"data") + b"\x91" * 1000 + b"\xc0",
    b"\x82" + msgpack.packb(b"complex") + b"\xc3" + msgpack.packb(b"data") + b"\x81\xc0" * 500 + b"\xc0",
    *(array_of(shape) for shape in ([0, 1080, 1920], [8192, 8193, 0], [2**20, 0, 2**30], [0, 2**62, 2])),
    b"\xdc\x04\x00" + array_of([2**20, 0]) * 1024,
    colliding_map(20),
    colliding_map(1100),
    b"\x81\xa1a" * 300 + b"\xc0",
    b"\x91" * 200 + b"\xc0",
    msgpack.packb([{f"{i}": i} for i in range(3000)]),
    b"\xdf\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc7\x0c\xff" + b"\xff" * 12,
]


def flip_bit(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def zero_stretch(data: bytes, rng: Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice([1, 16, 512, 4096])
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


def fill_with_noise(data: bytes, rng: Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice([1, 4, 64])
    return data[:at] + rng.randbytes(len(data[at : at + size])) + data[at + size :]


def cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def lengthen(data: bytes, rng: Random) -> bytes:
    return data + rng.choice([b"\0", bytes(4096), rng.randbytes(7), data])


def insert(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice([*NASTY, rng.randbytes(3)]) + data[at:]


def remove(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 2, 8, 100]) :]


def write_over(data: bytes, rng: Random) -> bytes:
    at, piece = rng.randrange(len(data)), rng.choice(NASTY)
    return data[:at] + piece + data[at + len(piece) :]


def lie_about_length(data: bytes, rng: Random) -> bytes:
    """Change the length of a string, map or array."""
    places = [i for i, byte in enumerate(data[:-5]) if byte in LENGTHS]
    if not places:
        return flip_bit(data, rng)
    at = rng.choice(places)
    width = LENGTHS[data[at]]
    wrong = rng.choice([0, 1, (1 << 8 * width) - 1, rng.randrange(1 << 8 * width)])
    return data[: at + 1] + wrong.to_bytes(width, "big") + data[at + 1 + width :]


def change_dtype(data: bytes, rng: Random) -> bytes:
    at = data.find(b"\xa3<f4", rng.randrange(len(data)))
    if at < 0:
        return fill_with_noise(data, rng)
    name = rng.choice(DTYPES)
    return data[:at] + msgpack.packb(name.decode()) + data[at + 4 :]


def change_entry(data: bytes, rng: Random) -> bytes:
    """Change one of the 8-byte integers of an index file."""
    if len(data) < 8:
        return data
    at = rng.randrange(len(data) // 8) * 8
    (value,) = struct.unpack_from(">Q", data, at)
    near = [value + 1, value - 1, value + 8, value // 2, value * 2]
    wrong = rng.choice([*LARGE, *near, rng.randrange(2**64)]) % 2**64
    return data[:at] + struct.pack(">Q", wrong) + data[at + 8 :]


def swap_entries(data: bytes, rng: Random) -> bytes:
    entries = [data[i : i + 8] for i in range(0, len(data), 8)]
    a, b = rng.randrange(len(entries)), rng.randrange(len(entries))
    entries[a], entries[b] = entries[b], entries[a]
    return b"".join(entries)


def to_and_fro(data: bytes, rng: Random) -> bytes:
    """Offsets that repeat a few of the entries: each sample may be most of the data file."""
    entries = [data[i : i + 8] for i in range(0, len(data) - 7, 8)]
    if not entries:
        return data
    few = [entries[0], entries[-1], rng.choice(entries)][: rng.choice([2, 3])]
    inner = [few[i % len(few)] for i in range(rng.choice([1, 1, 20]) * len(entries))]
    return b"".join([entries[0], *inner, entries[-1]])


Mutation = Callable[[bytes, Random], bytes]
ANY: list[Mutation] = [flip_bit, zero_stretch, fill_with_noise, cut, lengthen, insert, remove, write_over]
DATA: list[Mutation] = [*ANY, flip_bit, lie_about_length, lie_about_length, change_dtype, write_over]
ENTRIES: list[Mutation] = [
    *ANY,
    change_entry,
    change_entry,
    change_entry,
    swap_entries,
    to_and_fro,
    to_and_fro,
]
MUTATIONS = {"": DATA, ".keys": [*ANY, lie_about_length], ".offsets": ENTRIES, ".key_hashes": ENTRIES}


def mutated(files: Files, rng: Random) -> Files:
    """A damaged copy of the files of a dataset: one to four mutations, mostly of the data file."""
    files = dict(files)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        suffix = rng.choice(["", "", "", ".offsets", ".keys", ".key_hashes"])
        if suffix not in files:
            continue
        if suffix and rng.random() < 0.05:
            del files[suffix]
        elif files[suffix]:
            files[suffix] = rng.choice(MUTATIONS[suffix])(files[suffix], rng)
    return files
