"""The offset table's binding, against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast._native.offsets import OffsetTable
from ddfast._native.status import E_INDEX, E_SPAN
from ddfast.errors import KernelError

sizes = st.lists(st.integers(0, 2**40), max_size=700)


def table_of(offsets, file_size=None):
    return OffsetTable(np.array(offsets, ">u8"), offsets[-1] if file_size is None else file_size)


def offsets_of(lengths):
    return [0, *np.cumsum(lengths, dtype=np.uint64).tolist()]


@given(sizes, st.data())
def test_spans_are_neighbouring_entries(lengths, data):
    offsets = offsets_of(lengths)
    table = table_of(offsets)
    table.check_ends()
    table.validate()
    expected = np.stack([offsets[:-1], offsets[1:]], axis=1).astype(np.uint64)
    assert len(table) == len(lengths)
    np.testing.assert_array_equal(table.span_range(0, len(lengths)), expected)
    if lengths:
        indices = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1))), np.int64)
        np.testing.assert_array_equal(table.spans(indices), expected[indices])
        assert table.span(len(lengths) - 1) == tuple(expected[-1])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 9))
def test_validate_agrees_with_numpy(offsets, file_size):
    fine = offsets[0] == 0 and offsets[-1] == file_size and (np.diff(offsets) >= 0).all()
    table = table_of(offsets, file_size)
    if fine:
        table.validate()
    else:
        with pytest.raises(KernelError) as caught:
            table.validate()
        assert caught.value.code == E_SPAN
        assert caught.value.pos == 8 * caught.value.item


def test_a_falling_entry_is_named():
    with pytest.raises(KernelError) as caught:
        table_of([0, 5, 4, 9]).validate()
    assert (caught.value.code, caught.value.item, caught.value.pos) == (E_SPAN, 2, 16)


def test_a_span_beyond_the_file_is_refused():
    table = table_of([0, 5, 12, 9])
    assert table.span(0) == (0, 5)
    for call in (
        lambda: table.span(1),
        lambda: table.spans(np.array([0, 1])),
        lambda: table.span_range(0, 2),
    ):
        with pytest.raises(KernelError, match="beyond the end of the data file") as caught:
            call()
        assert caught.value.code == E_SPAN
        assert caught.value.pos == 8
    with pytest.raises(KernelError, match="ends before it starts"):
        table.span(2)


@pytest.mark.parametrize("index", [-1, 2, 2**62])
def test_an_index_outside_the_dataset_is_refused(index):
    table = table_of([0, 5, 9])
    with pytest.raises(KernelError) as caught:
        table.spans(np.array([0, 1, index]))
    assert (caught.value.code, caught.value.item) == (E_INDEX, 2)


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (2, 3), (5, 6), (0, 2**63)])
def test_a_range_outside_the_dataset_is_refused(start, stop):
    with pytest.raises(IndexError, match="2 samples"):
        table_of([0, 5, 9]).span_range(start, stop)


@pytest.mark.parametrize(("start", "stop"), [(2, 2), (0, 0), (2, 1), (9, 3)])
def test_an_empty_range_has_no_spans(start, stop):
    assert table_of([0, 5, 9]).span_range(start, stop).shape == (0, 2)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_buffer_of_odd_size_is_refused(size):
    with pytest.raises(ValueError, match=f"a multiple of 8, not {size}"):
        OffsetTable(bytes(size), 0)


def test_the_table_keeps_its_buffer():
    content = bytearray(16)
    table = OffsetTable(content, 0)
    with pytest.raises(BufferError):
        content.clear()
    del table
    content.clear()
