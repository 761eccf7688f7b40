"""Batches as Arrow record batches: types that all of pyarrow supports, named errors, and bounds of memory."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from column_rule import same
from column_samples import batch_of, batch_of_packed
from hypothesis import given
from hypothesis import strategies as st

from ddfast.batch import convert, nested
from ddfast.errors import CorruptSampleError

LONG = "text that is longer than a view of twelve bytes"


def rows():
    return [{"key": f"{i}" + LONG * (i % 2), "image": bytes(i), "label": i % 10} for i in range(100)]


def test_pyarrow_computes_with_all_columns(tmp_path):
    table = pa.Table.from_batches([batch_of(rows()).to_arrow()])
    assert table.filter(pc.equal(table["label"], 3))["key"].to_pylist() == [
        s["key"] for s in rows() if s["label"] == 3
    ]
    assert table.take([2, 1])["image"].to_pylist() == [bytes(2), bytes(1)]
    assert pc.equal(table["key"], "8").to_pylist().count(True) == 1
    assert table.sort_by("key")["key"].to_pylist() == sorted(sample["key"] for sample in rows())
    pyarrow.csv.write_csv(table.select(["key", "label"]), tmp_path / "x.csv")
    assert pyarrow.csv.read_csv(tmp_path / "x.csv")["label"].to_pylist() == [i % 10 for i in range(100)]


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("part", [slice(None), slice(7, 40), slice(None, None, -3), slice(5, 5)])
def test_strings_and_bytes_are_the_same_as_copies_and_as_views(views, part):
    batch = batch_of(rows())[part]
    table = batch.to_arrow(views=views)
    table.validate(full=True)
    kinds = [pa.string_view(), pa.binary_view()] if views else [pa.string(), pa.binary()]
    assert table.schema.types[:2] == kinds
    assert table.to_pylist() == rows()[part]


def test_columns_above_two_gigabytes_have_large_offsets(monkeypatch):
    monkeypatch.setattr(convert, "LARGE", 100)
    table = batch_of([{"a": "x" * 100, "b": bytes(99), "c": bytes(100)}]).to_arrow()
    assert table.schema.types == [pa.large_string(), pa.binary(), pa.large_binary()]
    assert table.to_pylist() == [{"a": "x" * 100, "b": bytes(99), "c": bytes(100)}]


@pytest.mark.parametrize(
    "values",
    [
        [1j, 2j],
        ["text", 2j],
        [np.ones((1, 2)), np.ones(3)],
        [2**64 - 1, -1],
        [{"a": 2**64 - 1}, {"a": -1}],
        [{1: 2}, {1: 3}],
        [[1], {"a": 1}],
        [np.zeros(2, "i4,f8"), None],
        [np.zeros((2, 2)), None],
        [{"a": 1}, {b"a": 1}],
        [[{"a": 1, b"b": 1}], None],
    ],
    ids=repr,
)
def test_a_column_without_arrow_form_is_named(values):
    batch = batch_of([{"y": 1, "x": value} for value in values])
    with pytest.raises(TypeError, match=r"column 'x' has no Arrow form \(.+\); leave it out with columns="):
        batch.to_arrow()


def test_a_damaged_sample_is_named_as_such():
    with pytest.raises(CorruptSampleError, match="sample 1, byte 4"):
        batch_of_packed([b"\x81\xa1a\x91\x01", b"\x81\xa1a\x91\xa1\xff"]).to_arrow()


nested_values = st.recursive(
    st.none() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=15,
)


@given(st.lists(nested_values, min_size=1, max_size=4))
def test_any_nested_values_are_equal_in_arrow_or_refused_by_name(values):
    batch = batch_of([{"x": value} for value in values])
    try:
        table = batch.to_arrow()
    except TypeError as error:
        message = str(error)
    else:
        assert same(without_missing(table["x"].to_pylist()), without_missing(values))
        return
    assert message.startswith("column 'x' has no Arrow form")


def without_missing(value):
    """A value without the fields that are None: Arrow adds them to all maps of a place."""
    if isinstance(value, dict):
        kept = {name: without_missing(item) for name, item in sorted(value.items())}
        return {name: item for name, item in kept.items() if item is not None}
    return [without_missing(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("opened", [b"\x81\xa1a", b"\x91"], ids=["maps", "lists"])
def test_depth_is_limited(opened):
    assert batch_of_packed([b"\x81\xa1x" + opened * 64 + b"\xc0"]).to_arrow().num_rows == 1
    for depth in (65, 1000):
        with pytest.raises(TypeError, match=r"column 'x' .*nested more than 64 levels deep"):
            batch_of_packed([b"\x81\xa1x" + opened * depth + b"\xc0"]).to_arrow()


@pytest.mark.parametrize("inside", [False, True], ids=["samples", "list"])
def test_maps_of_many_different_fields_are_limited(inside):
    count = 5000
    maps = [{f"{i}": i} for i in range(count)]
    batch = batch_of([{"x": maps}] if inside else [{"x": value} for value in maps])
    with pytest.raises(
        TypeError, match=r"column 'x' .*different fields that .* 25,0\d\d,\d\d\d entries in Arrow"
    ):
        batch.to_arrow()


def test_maps_with_optional_fields_are_not_limited():
    samples = [{"x": {f"{i % 200}": i, f"{i % 7}": 1}} for i in range(10_000)]
    assert batch_of(samples).to_arrow()["x"].type.num_fields == 200


@given(nested_values)
def test_entries_are_those_of_arrow(value):
    try:
        array = pa.array([value, None])
    except (pa.ArrowException, ValueError):  # a mix of types
        return
    root = nested._NestedPlace()
    level = [(root, value), (root, None)]
    while level:
        level = [inner for place, item in level for inner in place.inside(item)]
    assert nested._count_entries(root, 2) == entries_of(array)


def entries_of(array):
    if pa.types.is_struct(array.type):
        return len(array) + sum(entries_of(array.field(i)) for i in range(array.type.num_fields))
    if pa.types.is_list(array.type):
        return len(array) + (entries_of(array.values) if len(array.values) else 0)
    return len(array)


@pytest.mark.parametrize("shapes", [[(2**21, 0)] * 3, [(2**23, 0), (2, 0)]], ids=["stacked", "views"])
def test_rows_without_elements_are_limited(shapes):
    assert (
        batch_of([{"x": np.zeros((4, 0))}, {"x": np.zeros((4, 0))}]).to_arrow()["x"].to_pylist()
        == [[[]] * 4] * 2
    )
    with pytest.raises(TypeError, match=r"column 'x' .*rows without elements"):
        batch_of([{"x": np.zeros(shape)} for shape in shapes]).to_arrow()
