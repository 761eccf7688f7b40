"""Arrays of all dtypes and shapes: what a writer accepts, every reader gives back; the rest is refused when written."""

import math

import datadings.reader
import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ddfast.errors import InvalidSampleError
from ddfast.reader import MsgpackReader
from ddfast.tools.msgpack import packb, unpackb
from ddfast.writer import FileWriter

FOREIGN = [
    np.dtype(getattr(ml_dtypes, name))
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4")
    if hasattr(ml_dtypes, name)
]
MAX_ROWS = 2**26


def read_back(path, value, count=1):
    """The value as every way of reading gives it back: `get`, iteration, a column, samples of a batch, datadings."""
    with FileWriter(path, overwrite=True, disable=True) as writer:
        for i in range(count):
            writer.write({"key": str(i), "x": value})
    with MsgpackReader(path) as reader:
        yield reader.get(0)["x"]
        yield from (sample["x"] for sample in reader)
        for batch in reader.batches(count):
            yield from (sample["x"] for sample in batch)
            column = batch["x"]
            yield from (column[i, ...] if isinstance(column, np.ndarray) else column[i] for i in range(count))
    with datadings.reader.MsgpackReader(path) as reader:
        yield reader.get(0)["x"]


def values_of(array):
    """The dtype, fields and elements of an array, whatever lies between them."""
    if array.dtype.names is None:
        return array.dtype, array.shape, array.tobytes()
    return array.shape, [(name, values_of(array[name])) for name in array.dtype.names]


@st.composite
def structures(draw, depth=2):
    """Structured dtypes: aligned, with fields of structures and arrays, and parts of other structures."""
    inner = hnp.scalar_dtypes() | structures(depth - 1) if depth > 1 else hnp.scalar_dtypes()
    inner |= st.builds(
        lambda base, shape: np.dtype((base, shape)), inner, hnp.array_shapes(max_dims=2, max_side=2)
    )
    parts = draw(st.lists(inner, min_size=1, max_size=4))
    dtype = np.dtype([(f"f{i}", part) for i, part in enumerate(parts)], align=draw(st.booleans()))
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(dtype.names), min_size=1, unique=True))
        dtype = np.zeros(1, dtype)[names].dtype
    return dtype


dtypes = hnp.scalar_dtypes() | structures()


@given(dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_side=3, min_side=0))))
def test_an_array_of_any_dtype_comes_back_with_its_fields_and_values(tmp_path_factory, array):
    assert isinstance(array, np.ndarray)
    for back in read_back(tmp_path_factory.mktemp("dtypes") / "x.msgpack", array, 2):
        assert values_of(back) == values_of(array)


@pytest.mark.parametrize(
    "dtype", ["V3", [("a", "V3"), ("b", "i8")], np.longdouble, "S0", [("a", "U0")]], ids=str
)
def test_an_array_of_a_rare_dtype_comes_back(tmp_path, dtype):
    array = np.zeros((2, 3), dtype)
    for back in read_back(tmp_path / "x.msgpack", array, 2):
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(st.sampled_from([*FOREIGN, np.dtypes.StringDType()]), hnp.array_shapes(min_dims=0, min_side=0))
def test_dtypes_that_are_not_of_the_format_are_refused(tmp_path_factory, dtype, shape):
    path = tmp_path_factory.mktemp("foreign") / "x.msgpack"
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "a"})
        inside = [] if dtype.hasobject else [np.zeros(shape, [("a", "i4"), ("b", dtype)])]
        for value in (np.zeros(shape, dtype), *inside):
            with pytest.raises(
                InvalidSampleError, match=r"sample 1 \('b'\) .*sample\['x'\]\[0\] cannot be packed"
            ):
                writer.write({"key": "b", "x": [value]})
    with MsgpackReader(path) as reader:
        assert len(reader) == 1


@pytest.mark.parametrize("dtype", FOREIGN, ids=str)
def test_scalars_of_foreign_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match=rf"dtype {dtype}: .*convert it with array\.astype"):
        packb(dtype.type(1))


sides = st.lists(st.sampled_from([0, 1, 3, 1080, 1920, 8192, 8193, 2**26, 2**27, 2**31]), max_size=3)


@given(sides, sides, st.sampled_from(["?", "u1", "f4", "c16", "U3", "V2", "i4,f8", "M8[s]"]))
def test_an_array_without_elements_is_refused_or_comes_back(tmp_path_factory, before, after, dtype):
    shape = (*before, 0, *after)
    try:
        array = np.zeros(shape, dtype)
    except ValueError:  # too large for numpy
        assume(False)
    path = tmp_path_factory.mktemp("shapes") / "x.msgpack"
    if math.prod(shape[: shape.index(0)]) > MAX_ROWS:
        with pytest.raises(InvalidSampleError, match=r"rows without bytes.*a dimension of length 0 first"):
            list(read_back(path, array))
        return
    for back in read_back(path, array, 3):
        assert (back.dtype, back.shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("shape", [(0, 1080, 1920), (1080, 1920, 0), (0, 3, 20_000, 20_000)])
def test_masks_of_an_image_without_objects_come_back(tmp_path, shape):
    for back in read_back(tmp_path / "x.msgpack", np.zeros(shape, bool)):
        assert (back.shape, back.dtype) == (shape, bool)


def test_elements_without_bytes_are_limited_too():
    assert unpackb(packb(np.zeros(2**26, "V0"))).shape == (2**26,)
    with pytest.raises(TypeError, match="rows without bytes"):
        packb(np.zeros(2**26 + 1, "V0"))


@pytest.mark.parametrize("kind", [np.matrix, np.recarray, np.memmap], ids=lambda kind: kind.__name__)
def test_other_subclasses_come_back_as_plain_arrays(tmp_path, kind):
    if kind is np.memmap:
        value = np.memmap(tmp_path / "raw", np.int32, "w+", shape=(2, 3))
    else:
        value = np.zeros((2, 3), [("a", "i4")] if kind is np.recarray else np.int32).view(kind)
    for back in read_back(tmp_path / "x.msgpack", value):
        assert type(back) is np.ndarray
        assert values_of(back) == values_of(np.asarray(value))


def test_arrays_of_objects_come_back_where_pickles_are_allowed(tmp_path):
    value = np.array([{"a": 1}, None, (1, 2)], object)
    with (
        pytest.warns(UserWarning, match=r"stored as a pickle, which readers refuse") as caught,
        FileWriter(tmp_path / "x.msgpack", disable=True) as writer,
    ):
        writer.write({"key": "a", "x": value})
    assert caught[0].filename == __file__
    with MsgpackReader(tmp_path / "x.msgpack", allow_pickle=True) as reader:
        assert reader.get(0)["x"].tolist() == value.tolist()
