import io

import msgpack
import numpy as np
import pytest
from datadings.tools.msgpack import packb
from hypothesis import given
from hypothesis import strategies as st
from strategies import damaged, values, wire_messages

from ddfast._native import status
from ddfast._native.msgpack import MAX_DEPTH, check, check_run, split, utf8
from ddfast.errors import KernelError


def parts(data):
    """Where msgpack's own unpacker sees messages begin, up to the damage; and whether there is any."""
    unpacker = msgpack.Unpacker(io.BytesIO(data), strict_map_key=False, unicode_errors="surrogateescape")
    starts = [0]
    try:
        while True:
            unpacker.skip()
            starts.append(unpacker.tell())
    except msgpack.OutOfData:
        return starts, starts[-1] != len(data)
    except Exception:
        return starts, True


def failure(function, data, **options):
    with pytest.raises(KernelError) as caught:
        function(data, **options)
    return caught.value


@given(values)
def test_whatever_datadings_packs_passes(value):
    check(packb(value))


@given(wire_messages)
def test_any_wire_form_passes(data):
    check(data)


@given(damaged(wire_messages))
def test_damage_is_found_exactly_when_msgpack_finds_it(data):
    starts, broken = parts(data)
    if len(starts) == 2 and not broken:
        check(data, utf8=False)
    else:
        error = failure(check, data, utf8=False)
        assert (error.code == status.E_TRAILING) == (len(starts) > 1)
        assert 0 <= error.pos <= len(data)


@given(
    st.lists(wire_messages, max_size=8).map(b"".join)
    | damaged(st.lists(wire_messages, max_size=8).map(b"".join))
)
def test_messages_split_where_msgpack_splits_them(data):
    starts, broken = parts(data)
    if not broken:
        offsets = split(data)
        assert offsets.dtype == np.uint64
        assert offsets.tolist() == starts
    else:
        error = failure(split, data)
        assert error.item == len(starts) - 1
        assert starts[-1] <= error.pos <= len(data)


@given(
    st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | damaged(st.text(max_size=40).map(str.encode))
)
def test_utf8_is_judged_as_python_judges_it(data):
    try:
        data.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert utf8(data) is valid


def test_every_pair_of_bytes_is_judged_as_python_judges_it():
    for lead in range(0x80, 0x100):
        for second in (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF):
            for tail in (b"", b"\x80", b"\x80\x80", b"\xbf\xbf", b"\x80 "):
                data = bytes([lead, second]) + tail
                assert utf8(data) is (data.decode("utf-8", "replace").encode() == data), data


@pytest.mark.parametrize(
    ("hexed", "code", "pos"),
    [
        ("", "E_TRUNCATED", 0),
        ("c1", "E_RESERVED", 0),
        ("92 01 c1", "E_RESERVED", 2),
        ("92 01", "E_TRUNCATED", 2),
        ("92 01 a3 6162", "E_TRUNCATED", 2),
        ("c6ffffffff 00", "E_TRUNCATED", 0),
        ("dd ffffffff 01", "E_TRUNCATED", 6),
        ("df 80000000 01", "E_TRUNCATED", 6),
        ("c0 c0", "E_TRAILING", 1),
        ("91 a1ff", "E_UTF8", 1),
        ("91" * MAX_DEPTH + "90", "E_DEPTH", MAX_DEPTH),
    ],
)
def test_damage_carries_code_and_position(hexed, code, pos):
    error = failure(check, bytes.fromhex(hexed))
    assert (error.code, error.item, error.pos) == (getattr(status, code), 0, pos)


def test_split_names_the_message_and_the_byte():
    error = failure(split, bytes.fromhex("01 9202 03 a261"))
    assert (error.code, error.item, error.pos) == (status.E_TRUNCATED, 2, 4)


def test_nothing_splits_into_nothing():
    assert split(b"").tolist() == [0]


def test_text_is_checked_only_on_demand():
    check(b"\xa1\xff", utf8=False)
    check_run(b"\xa1\xff", np.array([2], np.uint64), utf8=False)


@given(st.lists(wire_messages | damaged(wire_messages), max_size=5))
def test_a_run_is_judged_as_its_first_damaged_sample_is(messages):
    expected = None
    for item, message in enumerate(messages):
        try:
            check(message)
        except KernelError as error:
            expected = (error.code, item, error.pos)
            break
    ends = np.cumsum([len(message) for message in messages], dtype=np.uint64)
    if expected is None:
        check_run(b"".join(messages), ends)
    else:
        error = failure(check_run, b"".join(messages), ends=ends)
        assert (error.code, error.item, error.pos) == expected


@pytest.mark.parametrize(
    ("ends", "item"), [([1], 1), ([1, 0], 1), ([1, 3], 1), ([], 0), ([1, 2, 2**64 - 1], 2)]
)
def test_ends_that_are_none_are_refused(ends, item):
    error = failure(check_run, b"\x01\x02", ends=np.array(ends, np.uint64))
    assert (error.code, error.item) == (status.E_SPAN, item)
    with pytest.raises(KernelError, match=r"not valid UTF-8 \(input 0, byte 0\)"):
        check(b"\xa1\xff")
