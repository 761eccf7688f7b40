"""The round-trip kernel tells samples that surely come back from those that need a closer look."""

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast._native.roundtrip import is_exact
from ddfast._native.status import E_DEPTH, E_RESERVED, E_TRAILING, E_TRUNCATED
from ddfast._util import nd
from ddfast.errors import KernelError

ENCODED = [np.zeros((2, 3)), np.float32(1), 1j, np.zeros(1, [("a", "i4")]), np.array([None])]


def pack(value):
    return msgpack.packb(value, default=nd.encode)


def suspects(value):
    """Maps with reserved keys, and whether any map is odd; by plain recursion."""
    if isinstance(value, list):
        return map(sum, zip((0, 0), *map(suspects, value), strict=False))
    if not isinstance(value, dict):
        return 0, 0
    marked, odd = suspects(list(value.values()))
    marked += b"nd" in value or b"complex" in value
    odd += len(value) > 64 or not all(isinstance(key, (str, bytes, int)) for key in value)
    odd += any(isinstance(key, bool) for key in value)
    return marked, odd


@given(
    st.recursive(
        st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary() | st.text() | st.floats(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from([b"nd", b"complex", b"data", "nd", "x"])
                | st.integers(0, 3)
                | st.booleans()
                | st.none()
                | st.text(max_size=2),
                inner,
            )
        ),
    ),
    st.integers(0, 2),
)
def test_generated_values_are_told_apart_as_plain_recursion_does(value, encoded):
    marked, odd = suspects([value])
    assert is_exact(pack(value), encoded) == (marked == encoded and not odd)


@pytest.mark.filterwarnings("ignore:an array of Python objects")
@pytest.mark.parametrize("value", ENCODED, ids=repr)
def test_what_the_packer_made_is_counted(value):
    packed = pack({"x": [value, {"y": value}], "z": 1})
    assert is_exact(packed, 2)
    assert not is_exact(packed, 1)
    assert not is_exact(packed, 3)


def test_equal_keys_are_found_whatever_lies_between():
    assert not is_exact(b"\x82\xa1a\x81\xa1a\x01\xa1a\x01", 0)
    assert is_exact(b"\x82\xa1a\x81\xa1a\x01\xa1b\x81\xa1a\x01", 0)


@pytest.mark.parametrize("count", [64, 65])
def test_large_maps_need_a_closer_look(count):
    assert is_exact(pack({str(i): i for i in range(count)}), 0) == (count == 64)


def test_many_open_maps_need_a_closer_look():
    value = {}
    for _ in range(20):
        value = {**{str(i): i for i in range(40)}, "z": value}
    assert not is_exact(pack(value), 0)


@pytest.mark.parametrize(
    ("data", "code", "pos"),
    [
        (b"", E_TRUNCATED, 0),
        (b"\x92\x01", E_TRUNCATED, 2),
        (b"\x82\xa1a\x01\xa1", E_TRUNCATED, 4),
        (b"\x81\xa1a\xc1", E_RESERVED, 3),
        (b"\x80\x80", E_TRAILING, 1),
        (b"\x91" * 2000 + b"\xc0", E_DEPTH, 1024),
        (b"\x81\xc0" * 2000 + b"\xc0", E_DEPTH, 2048),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_damage_is_named_with_its_position(data, code, pos):
    with pytest.raises(KernelError) as caught:
        is_exact(data, 0)
    assert (caught.value.code, caught.value.pos) == (code, pos)
