"""Plans: every sample lands with its bytes, in few reads."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddfast._native.plan import plan_reads
from ddfast._native.status import E_SPAN
from ddfast.errors import KernelError

FILE = np.random.default_rng(0).bytes(20_000)

spans = st.lists(
    st.tuples(st.integers(0, len(FILE)), st.integers(0, 900)).map(
        lambda s: (s[0], min(s[0] + s[1], len(FILE)))
    ),
    max_size=60,
)


def plan(wanted, max_gap, max_read):
    return plan_reads(np.array(wanted, np.uint64).reshape(-1, 2), max_gap, max_read)


@given(spans, st.integers(0, 700), st.integers(1, 5000))
@example([(0, 0), (5, 5)], 0, 1)
@example([(100, 900), (0, 200)], 0, 10)
def test_every_span_lands_with_its_bytes(wanted, max_gap, max_read):
    reads, landing, total = plan(wanted, max_gap, max_read)
    memory = bytearray(total)
    for offset, length, at in reads.tolist():
        assert at + length <= total
        memory[at : at + length] = FILE[offset : offset + length]
    for (start, stop), at in zip(wanted, landing.tolist(), strict=True):
        assert memory[at : at + stop - start] == FILE[start:stop]


@given(spans, st.integers(0, 700), st.integers(1, 5000))
def test_reads_are_sorted_apart_and_short(wanted, max_gap, max_read):
    reads, _, total = plan(wanted, max_gap, max_read)
    offsets, lengths, at = (reads[:, i].astype(np.int64) for i in range(3))
    assert np.all(offsets[1:] >= offsets[:-1] + lengths[:-1])
    assert np.all(at[1:] >= at[:-1] + lengths[:-1])
    assert np.all((lengths > 0) & (lengths <= max_read))
    # Each run is padded at its start to its place in a block, and at its end to a whole block.
    assert total <= lengths.sum() + 2 * 63 * len(wanted)
    gaps = offsets[1:] - offsets[:-1] - lengths[:-1]
    assert np.all((gaps == 0) | (gaps > max_gap))  # those without a gap are cuts


@given(spans, st.integers(0, 700))
def test_nothing_but_spans_and_gaps_is_read(wanted, max_gap):
    reads, _, _ = plan(wanted, max_gap, 1 << 20)
    needed = np.zeros(len(FILE) + 1, bool)
    for start, stop in wanted:
        needed[start:stop] = True
    for offset, length, _ in reads.tolist():
        idle = np.flatnonzero(np.diff(np.concatenate([[1], needed[offset : offset + length], [1]])))
        # Empty spans are wanted too, and split a gap: the bound is that of all of them between two needed bytes.
        assert np.all(idle[1::2] - idle[::2] <= max_gap * (1 + sum(a == b for a, b in wanted)))


@given(spans.filter(len), st.integers(0, 700))
def test_reads_land_as_they_lie_in_the_file(wanted, max_gap):
    reads, landing, _ = plan(wanted, max_gap, 1 << 20)
    assert np.all(reads[:, 0] % 64 == reads[:, 2] % 64)
    assert [at % 64 for at in landing.tolist()] == [start % 64 for start, _ in wanted]


def test_order_of_spans_does_not_change_the_reads():
    rng = np.random.default_rng(1)
    starts = np.sort(rng.choice(1 << 40, 5000, replace=False)).astype(np.uint64)
    wanted = np.stack([starts, starts + np.uint64(100)], axis=1)
    shuffled = rng.permutation(5000)
    reads, landing, total = plan_reads(wanted, 4096, 1 << 20)
    again, moved, size = plan_reads(np.ascontiguousarray(wanted[shuffled]), 4096, 1 << 20)
    assert np.array_equal(reads, again)
    assert np.array_equal(landing[shuffled], moved)
    assert total == size


def test_span_that_ends_before_it_starts_is_named():
    with pytest.raises(KernelError) as caught:
        plan([(0, 5), (9, 8), (7, 6)], 0, 10)
    assert (caught.value.code, caught.value.item) == (E_SPAN, 1)


def test_no_spans_need_no_reads():
    reads, landing, total = plan([], 0, 10)
    assert (len(reads), len(landing), total) == (0, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "max_read"), [(np.zeros((3, 3), np.uint64), 1), (np.zeros((3, 2), np.uint64), 0)]
)
def test_senseless_arguments_are_refused(wanted, max_read):
    with pytest.raises(ValueError, match="shape"):
        plan_reads(wanted, 0, max_read)
