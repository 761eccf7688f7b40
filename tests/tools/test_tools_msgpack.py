"""Packing and unpacking give what datadings.tools.msgpack gives."""

import io

import datadings.tools.msgpack as reference
import msgpack
import numpy as np
import pytest

import ddfast.tools.msgpack as tools
from ddfast.errors import PickleRefusedError

VALUES = [
    {"a": 1, 2: [1.5, None], b"b": "text"},
    {"array": np.arange(6).reshape(2, 3), "scalar": np.float32(1), "complex": 1j},
    np.zeros(2, [("a", "i4"), ("b", "S3")]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_value_is_packed_and_unpacked_as_in_datadings(value):
    packed = reference.packb(value)
    stream = io.BytesIO()
    tools.pack(value, stream)
    assert stream.getvalue() == tools.packb(value) == tools.make_packer().pack(value) == packed
    unpacker = tools.make_unpacker(io.BytesIO(packed))
    for back in (tools.unpackb(packed), tools.unpack(io.BytesIO(packed)), next(unpacker)):
        assert repr(back) == repr(reference.unpackb(packed))


def test_hooks_can_be_replaced():
    assert tools.packb(1j, default=str) == b"\xa21j"
    pairs = {"object_hook": None, "object_pairs_hook": list}
    assert tools.unpackb(b"\x82\xa1a\x01\xa1a\x02", **pairs) == [("a", 1), ("a", 2)]


def test_pickled_arrays_are_refused_unless_allowed():
    with pytest.warns(UserWarning, match="stored as a pickle"):
        packed = tools.packb(np.array([None, 1]))
    with pytest.raises(PickleRefusedError):
        tools.unpackb(packed)
    with pytest.raises(PickleRefusedError):
        tools.unpack(io.BytesIO(packed))
    with pytest.raises(PickleRefusedError):
        next(tools.make_unpacker(io.BytesIO(packed)))
    for back in (
        tools.unpackb(packed, allow_pickle=True),
        tools.unpack(io.BytesIO(packed), allow_pickle=True),
        next(tools.make_unpacker(io.BytesIO(packed), allow_pickle=True)),
    ):
        assert back.tolist() == [None, 1]


def test_settings_are_there_for_msgpack_itself():
    value = VALUES[1]
    assert set(tools.pack_kwargs) == set(reference.pack_kwargs)
    assert set(tools.unpack_kwargs) == set(reference.unpack_kwargs)
    packed = msgpack.packb(value, **tools.pack_kwargs)
    assert packed == msgpack.packb(value, **reference.pack_kwargs)
    assert repr(msgpack.unpackb(packed, **tools.unpack_kwargs)) == repr(reference.unpackb(packed))
