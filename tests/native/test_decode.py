import struct

import msgpack
import numpy as np
import pytest
from compare import assert_same
from datadings.tools.msgpack import packb, unpackb
from decoding import DECODER, assert_agreement, failure, outcome, reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import damaged, samples, values, wire_messages

from ddfast._native import status
from ddfast._native.decode import Decoder
from ddfast._native.msgpack import check
from ddfast.errors import KernelError, PickleRefusedError

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
    scanned = damage(data)
    if scanned is None:
        return
    with pytest.raises((KernelError, PickleRefusedError)) as caught:
        DECODER.unpack(data)
    error = caught.value
    # A value that cannot be built may come before the damage.
    if isinstance(error, KernelError) and error.code != status.E_VALUE:
        assert (error.code, error.reason, error.pos) == (scanned.code, scanned.reason, scanned.pos)


def damage(data):
    try:
        check(data)
    except KernelError as error:
        return error
    return None


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
