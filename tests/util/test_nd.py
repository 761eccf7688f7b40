"""ddfast._util.nd packs and unpacks numpy values as msgpack-numpy 0.4.8 does, and refuses untrusted ones."""

import msgpack
import msgpack_numpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ddfast._util import nd
from ddfast.errors import CorruptSampleError, PickleRefusedError

ARRAYS = [
    np.arange(6, dtype=">i2").reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(10)[::2],
    np.array(5.0),
    np.zeros((2, 0, 3), np.float16),
    np.array(["a", "bcd"]),
    np.array([b"a", b""]),
    np.array([1 + 2j]),
    np.array([True]),
    np.zeros(2, np.longdouble),
    np.zeros((), [("a", "i4")]),
    np.zeros(2, [("a", "<i4"), ("b", ">f8", (2, 3)), ("c", [("d", "S3"), ("e", "?", 2)])]),
    np.rec.array([(1, 2.0)]),
    np.array([1, "a"], object),
]
SCALARS = [
    np.int8(3),
    np.uint64(2**64 - 1),
    np.float16(1),
    np.float32(1),
    np.float64(1),
    np.longdouble(1),
    np.True_,
]
SCALARS += [np.complex64(1j), np.complex128(1 + 2j), np.timedelta64(5, "s"), 1 + 2j, complex("nan-infj")]


def pack(value):
    return msgpack.packb(value, default=nd.encode)


def unpack(packed, **options):
    return msgpack.unpackb(packed, object_hook=lambda m: nd.decode(m, **options), strict_map_key=False)


def reference(packed):
    return msgpack.unpackb(packed, object_hook=msgpack_numpy.decode, strict_map_key=False)


def assert_same(ours, theirs):
    assert type(ours) is type(theirs)
    if isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
        assert ours.flags.writeable == theirs.flags.writeable
    else:
        assert repr(ours) == repr(theirs)


@pytest.mark.filterwarnings("ignore:an array of Python objects")
@pytest.mark.parametrize("value", [*ARRAYS, *SCALARS], ids=repr)
def test_value_packs_to_the_bytes_of_msgpack_numpy(value):
    assert pack({"x": [value]}) == msgpack.packb({"x": [value]}, default=msgpack_numpy.encode)


@pytest.mark.filterwarnings("ignore:an array of Python objects")
@pytest.mark.parametrize("value", [*ARRAYS, *SCALARS], ids=repr)
def test_value_unpacks_to_what_msgpack_numpy_gives(value):
    packed = pack(value)
    assert_same(unpack(packed, allow_pickle=True), reference(packed))


@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.nested_dtypes(max_leaves=4), hnp.array_shapes(min_dims=0, min_side=0)
    )
)
def test_generated_array_comes_back_with_dtype_and_bytes(array):
    back = unpack(pack(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["M8[D]", "m8[25s]", [("t", "M8[ns]")]])
def test_dates_which_msgpack_numpy_cannot_pack_come_back(dtype):
    array = np.zeros(3, dtype)
    packed = pack(array)
    assert unpack(packed).tolist() == array.tolist()
    assert_same(unpack(packed), reference(packed))


@pytest.mark.parametrize("dtype", [[("a", "O")], [("a", [("b", "O")])]])
def test_objects_inside_a_structure_are_not_packed(dtype):
    with pytest.raises(TypeError, match="addresses of Python objects"):
        pack(np.zeros(2, dtype))


def test_pickled_array_is_refused_unless_allowed():
    with pytest.warns(UserWarning, match=r"stored as a pickle.*allow_pickle=True; store array\.tolist\(\)"):
        packed = pack(np.array([{"a": 1}], object))
    with pytest.raises(PickleRefusedError, match="allow_pickle=True"):
        unpack(packed)
    assert unpack(packed, allow_pickle=True)[0] == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [
        {b"nd": True},
        {b"nd": True, b"type": "<f4", b"data": b""},
        {b"nd": True, b"type": "<f4", b"shape": []},
        {b"nd": True, b"kind": b"O"},
        {b"nd": False, b"type": "<f4"},
        {b"nd": 1, b"data": b"1234"},
        {b"complex": True},
        {"nd": True, "type": "<f4", "data": b"", "shape": [0]},
        {"complex": True, "data": "1"},
    ],
    ids=repr,
)
def test_map_that_lacks_a_pair_stays_a_map(value):
    packed = msgpack.packb(value)
    assert unpack(packed) == reference(packed) == value
    assert not nd.stands_for_value(value)


@pytest.mark.parametrize(
    "value",
    [
        {b"nd": True, b"type": "<i2", b"shape": [1], b"data": b"12"},
        {b"nd": True, b"type": "<i2", b"shape": 1, b"data": b"1234"},
        {b"nd": True, b"type": [["a", "<i2"]], b"shape": [1], b"data": b"12"},
        {b"nd": True, b"kind": b"V", b"type": [[b"a", b"<i2", [1]]], b"shape": [1], b"data": b"12"},
        {b"nd": 7, b"type": "<i2", b"data": b"1234"},
        {b"complex": None, b"data": 5},
        {b"complex": None, b"data": b"5j"},
    ],
    ids=repr,
)
def test_older_and_odd_layouts_read_as_msgpack_numpy_reads_them(value):
    packed = msgpack.packb(value)
    assert_same(unpack(packed), reference(packed))
    assert nd.stands_for_value(value)


@pytest.mark.parametrize(
    "change",
    [
        {b"type": "|O"},
        {b"type": "float32"},
        {b"type": "<f4,<f4"},
        {b"type": "<f3"},
        {b"type": "<U999999999"},
        {b"type": None},
        {b"type": {}},
        {b"type": [["a", "O"]]},
        {b"type": [["a"]]},
        {b"type": [["a", "<i2"], ["a", "<i2"]]},
        {b"type": [["a", "<i2", [-1]]]},
        {b"type": [[5, "<i2"]]},
        {b"shape": [3]},
        {b"shape": [-1]},
        {b"shape": [2**63, 2**63]},
        {b"shape": [0, 2**62, 2**62]},
        {b"shape": [1] * 65},
        {b"shape": [2**40, 0], b"data": b""},
        {b"shape": [8192, 8193, 0], b"data": b""},
        {b"shape": [0, 2**40, 2**40], b"type": "V0", b"data": b""},
        {b"shape": [2**62, 2], b"type": "V0"},
        {b"shape": [2**40], b"type": [], b"kind": b"V"},
        {b"shape": [1.0]},
        {b"shape": None},
        {b"data": "1234"},
        {b"data": 5},
        {b"nd": False, b"data": b""},
        {b"nd": False, b"data": b"123"},
        {b"nd": False, b"type": "V0"},
    ],
    ids=repr,
)
def test_senseless_array_is_corrupt(change):
    with pytest.raises(CorruptSampleError):
        nd.decode({b"nd": True, b"type": "<i2", b"shape": [2], b"data": b"1234"} | change)


def test_deeply_nested_dtype_is_corrupt():
    descr = "<i2"
    for _ in range(200):
        descr = [["a", descr]]
    with pytest.raises(CorruptSampleError, match="is not a dtype"):
        nd.decode({b"nd": True, b"type": descr, b"shape": [1], b"data": b"12"})


@pytest.mark.parametrize("text", ["one", b"\xff", None])
def test_senseless_complex_number_is_corrupt(text):
    with pytest.raises(CorruptSampleError, match="not a complex number"):
        nd.decode({b"complex": True, b"data": text})


def test_damaged_pickle_is_corrupt():
    with pytest.raises(CorruptSampleError, match="does not load"):
        nd.decode({b"nd": True, b"kind": b"O", b"data": b"nonsense"}, allow_pickle=True)


@given(
    st.dictionaries(
        st.sampled_from([b"nd", b"type", b"kind", b"shape", b"data", b"complex"]),
        st.from_type(object) | st.booleans() | st.binary() | st.lists(st.integers()),
    )
)
def test_any_map_is_decoded_kept_or_refused(value):
    try:
        back = nd.decode(value)
    except (CorruptSampleError, PickleRefusedError):
        assert nd.stands_for_value(value)
    else:
        assert nd.stands_for_value(value) == (back is not value)


@pytest.mark.parametrize("name", ["M8[Y/0]", "m8[Y/0]", "<M8[D/00]", ">m8[25s/0]"])
def test_division_by_zero_in_a_dtype_is_refused_before_numpy_does_it(run_python, name):
    array = {b"nd": True, b"type": name, b"kind": b"", b"shape": [1], b"data": bytes(8)}
    code = f"from ddfast._util import nd\ntry: nd.decode({array!r})\nexcept ValueError as error: print(error)"
    assert "is not a dtype that an array can have" in run_python("-c", code).stdout
