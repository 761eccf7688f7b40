"""The ledger takes plain samples, keeps their bytes in order, and refuses what needs a closer look."""

import math

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast._native.ledger import ATTEND, REFUSED, TAKEN, Encoder, Ledger
from ddfast._util import nd
from ddfast.tools.msgpack import make_packer

PIECE = 1 << 16


def new_ledger(piece_size=PIECE, due=math.inf):
    encoder = Encoder(nd.encode)
    ledger = Ledger(make_packer(default=encoder).pack, encoder, piece_size)
    ledger.due = due
    return ledger


def content(buffers):
    return b"".join(bytes(buffer) for buffer in buffers)


def pack(sample):
    return msgpack.packb(sample, default=nd.encode)


@given(st.lists(st.sampled_from([0, 1, 100, 5_000, 32_700, 32_767, 32_768, 40_000, 70_000]), max_size=30))
def test_bytes_are_handed_over_in_order_whatever_their_sizes(sizes):
    ledger = new_ledger()
    samples = [{"key": f"{i}", "x": bytes([i]) * size} for i, size in enumerate(sizes)]
    keys, held = [], []
    for sample in samples:
        if ledger.take(sample) == ATTEND:
            some, buffers = ledger.hand_over()
            keys += some
            held.append(buffers)
    some, buffers = ledger.hand_over()
    keys += some
    data = b"".join(map(content, [*held, buffers]))  # pages that are held are not written again
    assert data == b"".join(map(pack, samples))
    assert keys == list(ledger.keys) == [sample["key"] for sample in samples]
    assert ledger.offsets.tolist() == [0, *np.cumsum([len(pack(sample)) for sample in samples]).tolist()]
    assert ledger.size == ledger.taken == len(data)


def test_pages_are_used_again_once_nobody_holds_them():
    ledger = new_ledger()
    addresses = set()
    for i in range(50):
        ledger.take({"key": str(i), "x": bytes(1000)})
        _, (buffer,) = ledger.hand_over()
        addresses.add(np.frombuffer(buffer, np.uint8).ctypes.data)
        del buffer
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
    ledger = new_ledger()
    assert ledger.take({"key": "taken"}) == TAKEN
    assert ledger.take(sample) == REFUSED
    assert list(ledger.keys) == ["taken"]
    assert ledger.offsets.tolist() == [0, ledger.size]
    assert ledger.hand_over()[0] == ["taken"]


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
    ledger = new_ledger()
    assert ledger.take_packed("taken", b"\x01") == TAKEN
    assert ledger.take_packed(key, data) == REFUSED
    assert list(ledger.keys) == ["taken"]


def test_a_closed_ledger_refuses_everything():
    ledger = new_ledger()
    ledger.is_closed = True
    assert ledger.take({"key": "a"}) == REFUSED
    assert ledger.take_keyed("a", {}) == REFUSED
    assert ledger.take_packed("a", b"\x01") == REFUSED


@pytest.mark.parametrize(("piece_size", "due"), [(4, math.inf), (PIECE, 0.0)])
def test_full_and_late_ledgers_want_attention(piece_size, due):
    ledger = new_ledger(piece_size, due)
    assert ledger.take({"key": "abcdef"}) == ATTEND
    assert ledger.attend()
    assert not new_ledger().attend()


def test_arrays_are_packed_as_nd_has_them():
    ledger = new_ledger()
    sample = {"key": "a", "x": np.arange(3), "y": np.float32(1), "z": 1j}
    assert ledger.take(sample) == TAKEN
    assert content(ledger.hand_over()[1]) == pack(sample)
