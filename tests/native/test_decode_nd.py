import numpy as np
import pytest
from compare import assert_same
from datadings.tools.msgpack import packb, unpackb
from decoding import DECODER, ND, SCALAR, assert_agreement, failure
from hypothesis import given
from strategies import plain_values

from ddfast._native import status
from ddfast._native.decode import Decoder
from ddfast._native.msgpack import MAX_DEPTH, check
from ddfast.errors import KernelError, PickleRefusedError


@pytest.mark.parametrize(
    "dtype",
    [
        "?",
        "i1",
        "u1",
        ">i2",
        "<u4",
        ">f8",
        "e",
        "F",
        ">c16",
        "g",
        "<U3",
        ">U3",
        "S5",
        "V3",
        "i4,f4",
        "(2,)i4,S3",
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3), (1,) * 32])
def test_arrays_keep_dtype_shape_and_bytes(dtype, shape):
    array = np.zeros(shape, dtype)
    data = packb({"a": array, "b": [array]})
    assert_same(DECODER.unpack(data), unpackb(data))


@pytest.mark.parametrize("dtype", ["<M8[ns]", ">M8[s]", "<m8[us]", "<M8", "<m8[25us]", "<M8[D]"])
def test_dates_decode_although_datadings_cannot_pack_them(dtype):
    array = np.arange(3).astype("i8").view(dtype[1:]).astype(dtype)
    data = packb({**ND, b"type": dtype, b"shape": (3,), b"data": array.tobytes()})
    assert_same(DECODER.unpack(data), unpackb(data))


@pytest.mark.parametrize(
    "value", [np.float32(1.5), np.int8(-3), np.bool_(True), np.complex64(1j), np.longdouble(2), 1 + 2j]
)
def test_numpy_scalars_and_complex_numbers_keep_their_type(value):
    data = packb([value, {"x": value}])
    assert_same(DECODER.unpack(data), unpackb(data))


@pytest.mark.parametrize(
    "form",
    [
        {b"nd": True},
        {b"nd": False},
        {b"nd": None, b"type": "<f4", b"data": bytes(4)},
        {b"nd": 1, b"type": "<f4", b"data": bytes(4)},
        {"nd": True, "type": "<f4"},
        {b"complex": True},
        {b"complex": False, b"data": "1j"},
        {b"complex": True, b"data": b"(1+2j)"},
        {b"complex": True, b"nd": False, b"type": "<f4", b"data": bytes(4)},
        {**ND, b"extra": 1},
        {**ND, b"shape": 2},
        {**ND, b"data": bytes(9)},
        {**ND, b"kind": "V"},
        {k: v for k, v in ND.items() if k != b"kind"},
        {k: ND[k] for k in (b"data", b"shape", b"kind", b"type", b"nd")},
        {**SCALAR, b"data": bytes(8)},
        {**SCALAR, b"type": "<U1"},
        {**SCALAR, b"type": "|S2", b"data": b"ab\x00\x00"},
        {b"type": "<f4", b"data": b"nd"},
        [ND, {"x": SCALAR, "y": {b"complex": True, b"data": "-0-1j"}}],
    ],
)
def test_unusual_maps_decode_as_datadings_decodes_them(form):
    data = packb(form)
    assert_same(DECODER.unpack(data), unpackb(data))


def test_key_that_decodes_to_the_reserved_name_counts_as_it():
    name = packb({b"nd": False, b"type": "|S2", b"data": b"nd"})
    data = b"\x83" + name + b"\xc3" + packb(b"type") + packb("<f4") + packb(b"data") + packb(b"1234")
    assert_same(DECODER.unpack(data), unpackb(data))


@pytest.mark.parametrize("repeat", range(3))
def test_dtypes_that_share_a_cache_slot_are_told_apart(repeat):
    for kind in "SU":
        for size in range(1, 300):
            array = np.zeros(2, f"{kind}{size}")
            assert_same(DECODER.unpack(packb(array)), array_like(array))


def array_like(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def test_array_does_not_change_with_the_buffer_it_came_from():
    buffer = bytearray(packb({"a": np.arange(4)}))
    array = DECODER.unpack(buffer)["a"]
    buffer[:] = bytes(len(buffer))
    assert array.tolist() == [0, 1, 2, 3]
    assert array.flags.owndata
    assert not array.flags.writeable


def test_object_arrays_are_unpickled_only_on_demand():
    array = np.array(["a", None, 3], dtype=object)
    data = packb({"x": array})
    with pytest.raises(PickleRefusedError):
        DECODER.unpack(data)
    assert_same(Decoder(allow_pickle=True).unpack(data), unpackb(data))
    assert Decoder(allow_pickle=True).allow_pickle
    assert not DECODER.allow_pickle


@pytest.mark.parametrize(
    "form",
    [
        {**ND, b"type": "<f5"},
        {**ND, b"type": "<x4"},
        {**ND, b"type": 5},
        {**ND, b"type": "|O"},
        {**ND, b"shape": (3,)},
        {**ND, b"shape": (2**62, 2**62)},
        {**ND, b"shape": (0, 2**62, 2**62), b"data": b""},
        {**ND, b"shape": ("x",)},
        {**ND, b"shape": (1,) * 65},
        {**ND, b"data": 5},
        {**SCALAR, b"data": b"abc"},
        {**SCALAR, b"data": b""},
        {b"complex": True, b"data": "1+"},
    ],
)
def test_numpy_values_that_cannot_be_built_are_placed(form):
    data = packb(["before", form, 3])
    assert failure(data) == (status.E_VALUE, 8)
    with pytest.raises(Exception):  # noqa: B017, PT011 (datadings raises whatever numpy does)
        unpackb(data)


def test_negative_shapes_are_refused_although_numpy_takes_some():
    data = packb(["before", {**ND, b"shape": (-1,)}])
    assert failure(data) == (status.E_VALUE, 8)


@pytest.mark.parametrize("at", range(len(packb(["x", ND]))))
def test_array_cut_anywhere_is_truncated(at):
    data = packb(["x", ND])[:at]
    with pytest.raises(KernelError) as scanned:
        check(data)
    assert failure(data) == (scanned.value.code, scanned.value.pos)


@given(plain_values)
def test_any_data_of_a_complex_number_is_read_as_datadings_reads_it(data):
    assert_agreement(packb({b"complex": True, b"data": data}))


@pytest.mark.parametrize("opened", [b"\x91", b"\x81\xc0"], ids=["lists", "maps"])
@pytest.mark.parametrize("depth", [1, 500, MAX_DEPTH - 1])
def test_nested_data_of_a_complex_number_is_an_error_of_its_value(opened, depth):
    data = b"\x82" + packb(b"complex") + b"\xc3" + packb(b"data") + opened * depth + b"\xc0"
    assert failure(data) == (status.E_VALUE, 0)


def test_text_of_a_complex_number_is_checked_too():
    data = b"\x91\x82\xc4\x07complex\xc3\xc4\x04data\xa2\xc3\x28"
    assert failure(data) == (status.E_UTF8, data.index(b"\xa2\xc3"))


def test_arrays_count_as_two_levels_of_nesting():
    inner = packb(ND)
    array = DECODER.unpack(b"\x91" * (MAX_DEPTH - 2) + inner)
    while isinstance(array, list):
        array = array[0]
    assert_same(array, unpackb(inner))
    assert failure(b"\x91" * (MAX_DEPTH - 1) + inner) == (
        status.E_DEPTH,
        MAX_DEPTH - 1 + inner.index(b"\x91\x02"),
    )
