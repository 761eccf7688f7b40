import gc
import struct
import sys
import threading
import tracemalloc

import msgpack
import msgpack_numpy
import numpy as np
import pytest
from compare import assert_same
from datadings.tools.msgpack import packb, unpackb
from hypothesis import given
from hypothesis import strategies as st
from strategies import damaged, samples, values, wire_messages

from ddfast._native import status
from ddfast._native.decode import Decoder
from ddfast._native.msgpack import MAX_DEPTH, check
from ddfast.errors import KernelError, PickleRefusedError

DECODER = Decoder()  # shared, so that its caches meet all examples
ND = {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": (2,), b"data": bytes(8)}
SCALAR = {b"nd": False, b"type": "<f4", b"data": bytes(4)}


def outcome(unpack, data):
    """What `unpack` makes of `data`: (True, value), or (False, None)."""
    try:
        return True, unpack(data)
    except Exception:
        return False, None


def refuse_pickles(obj):
    if obj.get(b"kind") == b"O":
        raise ValueError("pickle")
    return msgpack_numpy.decode(obj)


def reference(data):
    """datadings' unpackb, but for pickles: random bytes must never be unpickled."""
    return msgpack.unpackb(data, strict_map_key=False, object_hook=refuse_pickles)


def assert_agreement(data):
    """Both decoders refuse a message, or both make the same value of it."""
    decoded, theirs = outcome(reference, data)
    also, ours = outcome(DECODER.unpack, data)
    assert also == decoded
    assert_same(ours, theirs)


def failure(data, decoder=DECODER):
    with pytest.raises(KernelError) as caught:
        decoder.unpack(data)
    return caught.value.code, caught.value.pos


# --- Equality with datadings ---


@given(values)
def test_any_value_decodes_as_datadings_decodes_it(value):
    assert_agreement(packb(value))


@given(samples)
def test_any_sample_decodes_as_datadings_decodes_it(sample):
    assert_agreement(packb(sample))


@given(wire_messages)
def test_any_wire_form_decodes_as_msgpack_decodes_it(data):
    assert_agreement(data)


@given(damaged(wire_messages))
def test_damaged_messages_fail_exactly_when_msgpack_fails(data):
    assert_agreement(data)


@given(damaged(values.map(packb)))
def test_damaged_arrays_never_decode_to_something_else(data):
    decoded, value = outcome(DECODER.unpack, data)
    if decoded:
        assert_same(value, reference(data))


@given(st.binary(max_size=60))
def test_random_bytes_fail_exactly_when_msgpack_fails(data):
    assert_agreement(data)


@given(damaged(wire_messages | values.map(packb)))
def test_structural_damage_is_placed_where_the_scanner_places_it(data):
    try:
        check(data)
    except KernelError as scanned:
        with pytest.raises((KernelError, PickleRefusedError)) as caught:
            DECODER.unpack(data)
        error = caught.value
        # A value that cannot be built may come before the damage.
        if isinstance(error, KernelError) and error.code != status.E_VALUE:
            assert (error.code, error.reason, error.pos) == (scanned.code, scanned.reason, scanned.pos)


# --- Every first byte, by hand ---

MARKED = {
    0xC0: ("", None),
    0xC2: ("", False),
    0xC3: ("", True),
    0xC4: ("03 000102", b"\x00\x01\x02"),
    0xC5: ("0003 000102", b"\x00\x01\x02"),
    0xC6: ("00000003 000102", b"\x00\x01\x02"),
    0xC7: ("03 07 000102", msgpack.ExtType(7, b"\x00\x01\x02")),
    0xC8: ("0003 07 000102", msgpack.ExtType(7, b"\x00\x01\x02")),
    0xC9: ("00000003 07 000102", msgpack.ExtType(7, b"\x00\x01\x02")),
    0xCA: ("3fc00000", 1.5),
    0xCB: ("bff8000000000000", -1.5),
    0xCC: ("ff", 255),
    0xCD: ("fffe", 65534),
    0xCE: ("fffffffd", 2**32 - 3),
    0xCF: ("fffffffffffffffc", 2**64 - 4),
    0xD0: ("80", -128),
    0xD1: ("8000", -32768),
    0xD2: ("80000000", -(2**31)),
    0xD3: ("8000000000000000", -(2**63)),
    0xD4: ("7f aa", msgpack.ExtType(127, b"\xaa")),
    0xD5: ("00 aabb", msgpack.ExtType(0, b"\xaa\xbb")),
    0xD6: ("ff 00000001", msgpack.Timestamp(1, 0)),
    0xD7: ("ff 0000000400000002", msgpack.Timestamp(2, 1)),
    0xD8: ("01 000102030405060708090a0b0c0d0e0f", msgpack.ExtType(1, bytes(range(16)))),
    0xD9: ("02 c3a9", "é"),
    0xDA: ("0002 c3a9", "é"),
    0xDB: ("00000002 c3a9", "é"),
    0xDC: ("0002 01 c0", [1, None]),
    0xDD: ("00000002 01 c0", [1, None]),
    0xDE: ("0001 a161 02", {"a": 2}),
    0xDF: ("00000001 c0 02", {None: 2}),
}


def first_bytes():
    for byte in range(256):
        if byte < 0x80:
            yield byte, b"", byte
        elif byte < 0x90:
            n = byte - 0x80
            yield byte, b"".join(bytes([i, 0xC3]) for i in range(n)), dict.fromkeys(range(n), True)
        elif byte < 0xA0:
            yield byte, bytes(range(byte - 0x90)), list(range(byte - 0x90))
        elif byte < 0xC0:
            yield byte, b"y" * (byte - 0xA0), "y" * (byte - 0xA0)
        elif byte >= 0xE0:
            yield byte, b"", byte - 256
        elif byte != 0xC1:
            rest, value = MARKED[byte]
            yield byte, bytes.fromhex(rest), value


@pytest.mark.parametrize(
    ("byte", "rest", "value"), [pytest.param(*c, id=f"{c[0]:02x}") for c in first_bytes()]
)
def test_every_first_byte_reads_as_the_specification_says(byte, rest, value):
    data = bytes([byte]) + rest
    assert_same(DECODER.unpack(data), value)
    for cut in range(len(data)):
        with pytest.raises(KernelError) as caught:
            DECODER.unpack(data[:cut])
        assert caught.value.code == status.E_TRUNCATED


# --- numpy's values ---


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


# --- Keys ---


def test_last_of_equal_keys_wins_in_the_place_of_the_first():
    data = b"\x84\xa1a\x01\xa1b\x02\xa1a\x03\xa1c\x04"
    assert list(DECODER.unpack(data).items()) == [("a", 3), ("b", 2), ("c", 4)]


def test_keys_that_are_equal_across_types_merge_as_in_a_dict():
    data = b"\x83\x01\xa1a\xc3\xa1b\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa1c"
    assert_same(DECODER.unpack(data), unpackb(data))


@given(st.lists(st.text(max_size=80), max_size=50))
def test_keys_are_right_whatever_was_decoded_before(names):
    data = packb([{name: i} for i, name in enumerate(names)])
    assert_same(DECODER.unpack(data), unpackb(data))


def test_more_keys_than_any_cache_holds():
    decoder = Decoder()
    for start in range(0, 20000, 1000):
        sample = {f"key{i}": i for i in range(start, start + 1000)}
        assert decoder.unpack(packb(sample)) == sample


# --- Errors ---


@pytest.mark.parametrize(
    ("hexed", "code", "pos"),
    [
        ("", "E_TRUNCATED", 0),
        ("c1", "E_RESERVED", 0),
        ("92 01 c1", "E_RESERVED", 2),
        ("93 01 02", "E_TRUNCATED", 3),
        ("92 01 c403aabb", "E_TRUNCATED", 2),
        ("82 a161 01 a162", "E_TRUNCATED", 6),
        ("dd ffffffff 01 c1", "E_RESERVED", 6),
        ("df ffffffff 01", "E_TRUNCATED", 6),
        ("91 92 dd ffffffff 01 02", "E_TRUNCATED", 9),
        ("01 02", "E_TRAILING", 1),
        ("92 01 a2c328", "E_UTF8", 2),
        ("81 a2edbf 01", "E_UTF8", 1),
        ("92 a2c328 c1", "E_UTF8", 1),
        ("91" * 1025 + "c0", "E_DEPTH", 1024),
        ("91" * 1024 + "80", "E_DEPTH", 1024),
        ("92 01 d5ff0000", "E_VALUE", 2),
        ("92 01 d7ffffffffffffffffff", "E_VALUE", 2),
        ("92 01 c703800000ff", "E_VALUE", 2),
        ("92 01 82 01 02 9103 04", "E_VALUE", 5),
        ("92 01 81 8101 02 04", "E_VALUE", 3),
    ],
)
def test_errors_carry_code_and_position(hexed, code, pos):
    assert failure(bytes.fromhex(hexed)) == (getattr(status, code), pos)


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


def test_claimed_lengths_allocate_nothing():
    data = b"\xdd\x00\x0f\xff\x00" * 1000 + bytes(1 << 20)
    tracemalloc.start()
    try:
        assert failure(data)[0] == status.E_TRUNCATED
        assert tracemalloc.get_traced_memory()[1] < 16 * len(data)
    finally:
        tracemalloc.stop()


def test_deepest_message_decodes_on_a_small_stack():
    plain = b"\x91" * MAX_DEPTH + b"\x01"
    special = b"\x91" * (MAX_DEPTH - 2) + packb({b"shape": (2,), **ND})
    results = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(
            target=lambda: results.extend([DECODER.unpack(plain), DECODER.unpack(special)])
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(results) == 2
    depth = 0
    inner = results[0]
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]
    assert (depth, inner) == (MAX_DEPTH, 1)


def test_failures_release_what_was_built():
    array = np.dtype("<f4")
    messages = [
        packb(["x" * 100, {"a": [1.5, ND], b"b": object_array()}]),
        packb({"a": [2**70 // 3**30, "text" * 9, ND]})[:-1],
        b"\x92" + packb({"k": [1.5] * 9}) + b"\x81\x91\x05\xa5hello",
        b"\x91\x82\xa1k\xa1v\xa1j\xd5\xff\x00\x00",
    ]
    for data in messages:
        outcome(DECODER.unpack, data)
    gc.collect()
    before = sys.getallocatedblocks(), sys.getrefcount(array)
    for _ in range(200):
        for data in messages:
            assert not outcome(DECODER.unpack, data)[0]
    gc.collect()
    assert sys.getallocatedblocks() - before[0] < 100


def object_array():
    return np.array([None, "x"], dtype=object)


def test_successes_release_what_was_built():
    sample = {
        "key": "k",
        "v": np.arange(3),
        "s": np.float32(1),
        "c": 1j,
        "t": msgpack.Timestamp(1, 2),
        "x": [None, True] * 9,
    }
    data = packb(
        {**sample, "r": np.zeros(2, "i4,f4"), "e": msgpack.ExtType(1, b"x"), 5: b"y", "u": 2**64 - 1}
    )
    DECODER.unpack(data)
    gc.collect()
    before = sys.getallocatedblocks()
    references = sys.getrefcount(None)
    for _ in range(500):
        DECODER.unpack(data)
    gc.collect()
    assert sys.getallocatedblocks() - before < 100
    assert sys.getrefcount(None) - references < 100


def test_decoder_may_be_used_while_it_decodes():
    """Unpickling runs Python code, which may come back to the same decoder."""
    decoder = Decoder(allow_pickle=True)
    Reentrant.decoder = decoder
    data = packb({"a": [1, np.array([Reentrant()], dtype=object)], "b": 2})
    value = decoder.unpack(data)
    assert value["b"] == 2
    assert value["a"][1][0] == {"inner": [1, 2]}


class Reentrant:
    decoder = None

    def __reduce__(self):
        return reenter, ()


def reenter():
    return Reentrant.decoder.unpack(packb({"inner": [1, 2]}))


def test_threads_may_share_a_decoder():
    sample = {f"k{i}": np.full(3, i, "f4") for i in range(40)}
    data = packb(sample)
    failures = []

    def work():
        for _ in range(200):
            value = DECODER.unpack(data)
            if any(value[f"k{i}"][0] != i for i in range(40)):
                failures.append(value)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, np.frombuffer])
def test_any_contiguous_buffer_will_do(wrap):
    data = packb({"a": [1, 2]})
    buffer = np.frombuffer(data, np.uint8) if wrap is np.frombuffer else wrap(data)
    assert DECODER.unpack(buffer) == {"a": [1, 2]}


def test_other_things_than_buffers_are_refused():
    with pytest.raises(TypeError):
        DECODER.unpack("text")
    with pytest.raises(BufferError):
        DECODER.unpack(memoryview(bytes(8))[::2])


def test_timestamps_of_all_widths():
    for seconds, nanoseconds in (
        (0, 0),
        (2**32, 0),
        (2**34 - 1, 999_999_999),
        (-1, 5),
        (2**63 - 1, 1),
        (-(2**63), 0),
    ):
        data = packb(msgpack.Timestamp(seconds, nanoseconds))
        assert_same(DECODER.unpack(data), msgpack.Timestamp(seconds, nanoseconds))
    assert struct.calcsize(">Iq") == 12
