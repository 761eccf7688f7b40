"""The buffer takes plain samples, keeps their bytes in order, and refuses what needs a closer look."""

import math

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast._native.write_buffer import ADDED, FLUSH_DUE, REFUSED, Encoder, WriteBuffer
from ddfast._util import nd
from ddfast.tools.msgpack import make_packer

PIECE = 1 << 16


def new_buffer(piece_size=PIECE, due=math.inf):
    encoder = Encoder(nd.encode)
    buffer = WriteBuffer(make_packer(default=encoder).pack, encoder, piece_size)
    buffer.due = due
    return buffer


def content(buffers):
    return b"".join(bytes(buffer) for buffer in buffers)


def pack(sample):
    return msgpack.packb(sample, default=nd.encode)


@given(st.lists(st.sampled_from([0, 1, 100, 5_000, 32_700, 32_767, 32_768, 40_000, 70_000]), max_size=30))
def test_bytes_are_handed_over_in_order_whatever_their_sizes(sizes):
    buffer = new_buffer()
    samples = [{"key": f"{i}", "x": bytes([i]) * size} for i, size in enumerate(sizes)]
    keys, held = [], []
    for sample in samples:
        if buffer.add_sample(sample) == FLUSH_DUE:
            some, buffers = buffer.drain()
            keys += some
            held.append(buffers)
    some, buffers = buffer.drain()
    keys += some
    data = b"".join(map(content, [*held, buffers]))  # pages that are held are not written again
    assert data == b"".join(map(pack, samples))
    assert keys == list(buffer.keys) == [sample["key"] for sample in samples]
    assert buffer.offsets.tolist() == [0, *np.cumsum([len(pack(sample)) for sample in samples]).tolist()]
    assert buffer.size == buffer.drained == len(data)


def test_pages_are_used_again_once_nobody_holds_them():
    buffer = new_buffer()
    addresses = set()
    for i in range(50):
        buffer.add_sample({"key": str(i), "x": bytes(1000)})
        _, (page,) = buffer.drain()
        addresses.add(np.frombuffer(page, np.uint8).ctypes.data)
        del page
    assert len(addresses) == 1


ODD = {
    "no dict": [1],
    "no key": {"x": 1},
    "a key that is no string": {"key": 1},
    "a key of a subclass": {"key": np.str_("a")},
    "a taken key": {"key": "taken"},
    "a value that cannot be packed": {"key": "a", "x": object()},
    "a lone surrogate": {"key": "\ud800"},
    "reserved keys": {"key": "a", "x": {b"nd": True}},
    "a key that is no string inside": {"key": "a", "x": {1.5: 2}},
}


@pytest.mark.parametrize("sample", ODD.values(), ids=ODD)
def test_odd_samples_are_refused_and_leave_no_trace(sample):
    buffer = new_buffer()
    assert buffer.add_sample({"key": "taken"}) == ADDED
    assert buffer.add_sample(sample) == REFUSED
    assert list(buffer.keys) == ["taken"]
    assert buffer.offsets.tolist() == [0, buffer.size]
    assert buffer.drain()[0] == ["taken"]


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("a", b"\xc1"),
        ("a", bytearray(b"\x01")),
        ("\xe9", b"\x01"),
        ("taken", b"\x01"),
        (1, b"\x01"),
        ("a", b""),
    ],
    ids=repr,
)
def test_odd_messages_are_refused(key, data):
    buffer = new_buffer()
    assert buffer.add_packed("taken", b"\x01") == ADDED
    assert buffer.add_packed(key, data) == REFUSED
    assert list(buffer.keys) == ["taken"]


def test_a_closed_buffer_refuses_everything():
    buffer = new_buffer()
    buffer.is_closed = True
    assert buffer.add_sample({"key": "a"}) == REFUSED
    assert buffer.add_keyed("a", {}) == REFUSED
    assert buffer.add_packed("a", b"\x01") == REFUSED


@pytest.mark.parametrize(("piece_size", "due"), [(4, math.inf), (PIECE, 0.0)])
def test_full_and_late_ledgers_want_attention(piece_size, due):
    buffer = new_buffer(piece_size, due)
    assert buffer.add_sample({"key": "abcdef"}) == FLUSH_DUE
    assert buffer.is_flush_due()
    assert not new_buffer().is_flush_due()


def test_arrays_are_packed_as_nd_has_them():
    buffer = new_buffer()
    sample = {"key": "a", "x": np.arange(3), "y": np.float32(1), "z": 1j}
    assert buffer.add_sample(sample) == ADDED
    assert content(buffer.drain()[1]) == pack(sample)
